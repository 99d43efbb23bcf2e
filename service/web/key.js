// The caller's key: it stays in its field, so it is gone with the page. No storage, no cookie, no address holds it.

import { byId } from "./elements.js";

const key = () => byId("key").value.trim();

export const authorization = () => (key() ? { Authorization: `Bearer ${key()}` } : {});
export const signedIn = () => key() !== "";

// Without a key, being asked for one is no mistake of anybody's.
export function askForKey(problem) {
  byId("sign-in").hidden = false;
  byId("key-problem").textContent = signedIn() && problem ? `Found: ${problem.found}. ${problem.remedy}` : "";
}

export function whenSignedIn(listener) {
  byId("sign-in").addEventListener("submit", (event) => {
    event.preventDefault();
    byId("sign-in").hidden = true;
    listener();
  });
}
