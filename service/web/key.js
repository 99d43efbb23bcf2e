// The caller's key: it stays in its field, so that it is gone with the page. No storage, no cookie, no address holds it.

import { byId } from "./elements.js";

export function authorization() {
  const key = byId("key").value?.trim();
  return key ? { Authorization: `Bearer ${key}` } : {};
}

export function askForKey() {
  byId("key-field").hidden = false;
}

export function whenKeyChanges(listener) {
  byId("key").addEventListener("change", listener);
}
