// The ways in which a page gets here: chosen, dropped, pasted, or the synthetic one.

import { byId } from "./elements.js";

const firstFile = (transfer) => [...(transfer?.files ?? [])][0];

function choose(listener) {
  byId("file").addEventListener("change", ({ target }) => {
    const [file] = target.files;
    target.value = ""; // The same file can be chosen again.
    if (file) listener(file);
  });
}

function drop(listener) {
  const marked = (event, over) => {
    event.preventDefault();
    byId("drop").classList.toggle("over", over);
  };
  // A file that misses the field would otherwise replace this page.
  document.addEventListener("dragover", (event) => marked(event, true));
  document.addEventListener("dragleave", (event) => marked(event, false));
  document.addEventListener("drop", (event) => {
    marked(event, false);
    const file = firstFile(event.dataTransfer);
    if (file) listener(file);
  });
}

function paste(listener) {
  document.addEventListener("paste", (event) => {
    const file = firstFile(event.clipboardData);
    if (!file) return; // Text goes where it was meant to, such as into the field of the key.
    event.preventDefault();
    listener(file);
  });
}

let fetching = new AbortController();

async function sampleFile(signal) {
  const response = await fetch("web/sample.jpg", { signal });
  return response.ok ? new File([await response.blob()], "sample.jpg", { type: "image/jpeg" }) : null;
}

function sample(listener, say) {
  byId("sample").addEventListener("click", async () => {
    fetching.abort();
    fetching = new AbortController();
    const { signal } = fetching;
    const file = await sampleFile(signal).catch(() => null);
    if (signal.aborted) return; // Another page came first, and stays.
    if (file) listener(file);
    else say("The synthetic page did not arrive. Check the connection and try again.");
  });
}

// `say` tells why no page came.
export function whenPageComes(listener, say) {
  const comes = (file) => {
    fetching.abort();
    listener(file);
  };
  for (const way of [choose, drop, paste]) way(comes);
  sample(listener, say);
}
