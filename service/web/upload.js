// The ways in which a page gets here: chosen, dropped, pasted, or the synthetic one. Knows not what becomes of it.

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

function sample(listener) {
  byId("sample").addEventListener("click", async () => {
    const response = await fetch("web/sample.jpg");
    listener(new File([await response.blob()], "sample.jpg", { type: "image/jpeg" }));
  });
}

export function whenPageComes(listener) {
  for (const way of [choose, drop, paste, sample]) way(listener);
}
