// The ways in which pages get here: chosen, a folder, dropped, pasted, or the synthetic one.

import { byId } from "./elements.js";
import { text } from "./texts.js";

const inOrder = new Intl.Collator(undefined, { numeric: true });
const pathOf = (file) => file.path ?? (file.webkitRelativePath || file.name);
const hidden = (file) => pathOf(file).split("/").some((name) => name.startsWith("."));

// Files by name, and how many hidden ones (such as .DS_Store) were left out.
function sorted(files) {
  const named = files.map((file) => ({ file, name: pathOf(file) }));
  const shown = named.filter(({ file }) => files.length === 1 || !hidden(file));
  shown.sort((one, other) => inOrder.compare(one.name, other.name));
  return { pages: shown, leftOut: files.length - shown.length };
}

function choose(listener) {
  for (const id of ["file", "folder"]) {
    byId(id).addEventListener("change", ({ target }) => {
      const files = [...target.files];
      target.value = ""; // The same file can be chosen again.
      if (files.length) listener(files);
    });
  }
}

const read = (method) => new Promise((resolve, reject) => method(resolve, reject));

// A folder gives its entries in portions until one is empty.
async function filesOf(entry) {
  if (entry.isFile) {
    const file = await read((...ends) => entry.file(...ends));
    file.path = entry.fullPath.replace(/^\//, "");
    return [file];
  }
  const reader = entry.createReader();
  const found = [];
  for (let some = [null]; some.length; ) {
    some = await read((...ends) => reader.readEntries(...ends));
    for (const one of some) found.push(...(await filesOf(one)));
  }
  return found;
}

// Entries have to be taken before the event ends; only a folder is then walked through.
async function filesIn(transfer) {
  const files = [...(transfer?.files ?? [])];
  const entries = [...(transfer?.items ?? [])].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.some((entry) => entry.isDirectory)) return files;
  return (await Promise.all(entries.map(filesOf))).flat();
}

function drop(listener, say) {
  const marked = (event, over) => {
    event.preventDefault();
    byId("drop").classList.toggle("over", over);
  };
  // A file that misses the field would otherwise replace this page.
  document.addEventListener("dragover", (event) => marked(event, true));
  document.addEventListener("dragleave", (event) => marked(event, false));
  document.addEventListener("drop", async (event) => {
    marked(event, false);
    try {
      const files = await filesIn(event.dataTransfer);
      if (files.length) listener(files);
    } catch {
      say(text("upload.no_folder"));
    }
  });
}

function paste(listener) {
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (!files.length) return; // Text goes where it was meant to, such as into the field of the key.
    event.preventDefault();
    listener(files);
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
    if (file) listener([file]);
    else say(text("upload.no_sample"));
  });
}

// `listener` gets { pages: [{ file, name }], leftOut }; `say` tells why no page came.
export function whenPagesCome(listener, say) {
  const come = (files) => {
    fetching.abort();
    listener(sorted(files));
  };
  choose(come);
  drop(come, say);
  paste(come);
  sample(come, say);
}
