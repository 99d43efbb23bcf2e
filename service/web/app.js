// The page's life: pages come, one is shown or many fill a table, and two can stand side by side.

import { button, byId } from "./elements.js";
import { offerHelp } from "./help.js";
import { offerToKeep } from "./keep.js";
import { whenSignedIn } from "./key.js";
import { ManyView } from "./many-view.js";
import { chosenModels, listModels, whenChosen } from "./models.js";
import { addressOfPicture, decoded } from "./picture.js";
import { markWhatIsPointedAt } from "./pointing.js";
import { send } from "./service.js";
import { sideBySide } from "./side.js";
import { hasSignalsOnly, readSignals } from "./signals.js";
import { HOLDERS, answers, cancel, clear, forget, leave, read, readFile, redraw, say, showEntry } from "./single.js";
import { applyTexts, offerLanguages, text, whenLanguageChanges } from "./texts.js";
import { whenPagesCome } from "./upload.js";
import { modelRef } from "./words.js";

const many = new ManyView({ modelOf: () => chosenModels()[0], open, list, beside });
let pair = null; // The two pages that stand side by side.
let reading = new AbortController(); // ends their reading

function closeSide() {
  reading.abort();
  reading = new AbortController();
  byId("side").hidden = true;
  byId("side").replaceChildren();
  pair?.forEach(({ done }) => done());
  pair = null;
}

function open(entry) {
  closeSide();
  showEntry(entry);
}

function list() {
  closeSide();
  forget();
  clear("many");
  say("");
  scrollTo({ top: 0, behavior: "instant" });
}

// What two entries need to stand side by side: their curves, which are read again.
async function withReading(entry, signal) {
  const { ok, content } = hasSignalsOnly(entry.answer)
    ? await readSignals(entry.file, signal)
    : await send("reading", entry.file, { model: modelRef(entry.answer.model) }, { signal });
  return { ...entry, reading: ok ? content : null, ...addressOfPicture(entry.file, await decoded(entry.file)) };
}

async function beside(entries) {
  closeSide();
  const { signal } = reading;
  try {
    pair = await Promise.all(entries.map((entry) => withReading(entry, signal)));
  } catch (fault) {
    if (signal.aborted) return; // Something else was opened meanwhile.
    throw fault;
  }
  showSide();
}

function showSide() {
  const { shown, draw } = sideBySide(pair);
  const swap = button(text("side.swap"), () => {
    pair.reverse();
    showSide();
  });
  const tools = Object.assign(document.createElement("div"), { className: "row" });
  tools.append(button(text("side.back"), () => many.list()), swap);
  document.body.dataset.state = "side";
  byId("side").replaceChildren(tools, shown);
  byId("side").hidden = false;
  byId("side").focus({ preventScroll: true });
  scrollTo({ top: 0, behavior: "instant" });
  draw();
}

function receive(coming) {
  const { pages, leftOut } = coming;
  if (pages.length === 1 && !leftOut) {
    closeSide();
    readFile(pages[0].file);
  } else many.add(coming);
}

async function start() {
  const problem = await listModels();
  if (problem) say(problem.code === "unauthorized" ? text("say.key") : text("say.no_models"));
}

offerLanguages(byId("language"));
applyTexts();
offerHelp();
markWhatIsPointedAt();
whenPagesCome(receive, say);
whenChosen(() => read({ moveFocus: false }));
whenSignedIn(async () => {
  say("");
  await start();
  read({ moveFocus: true });
});
whenLanguageChanges(() => {
  listModels();
  redraw();
  many.translate();
  if (pair) showSide();
});
offerToKeep(answers, say);
byId("cancel").addEventListener("click", cancel);
// A link opens what it leads to, which may not even be drawn as long as it is closed.
document.addEventListener("click", ({ target }) => {
  const id = target.closest?.("a[href^='#']")?.getAttribute("href").slice(1);
  if (!id) return;
  HOLDERS[id.split("-")[0]]?.open();
  byId(id)?.closest("details")?.setAttribute("open", "");
});
addEventListener("pagehide", leave);
start();
