// The page's life: a file comes, models answer, what was read is shown. One piece of work at a time; the next ends it.

import { answerCard } from "./answer.js";
import { comparison } from "./compare.js";
import { EcgView } from "./ecg-view.js";
import { byId } from "./elements.js";
import { explanations } from "./explanation.js";
import { offerToKeep } from "./keep.js";
import { whenSignedIn } from "./key.js";
import { leadTables } from "./lead-table.js";
import { chosenModels, listModels, whenChosen } from "./models.js";
import { dividedLeads, grayPage, pageWithBoxes } from "./page-view.js";
import { decoded, grayPicture } from "./picture.js";
import { markWhatIsPointedAt } from "./pointing.js";
import { FAULT, pictureOf, problemCard } from "./problem.js";
import { rawAnswers } from "./raw.js";
import { Section, waiting } from "./sections.js";
import { paperSheet } from "./sheet.js";
import { send } from "./service.js";
import { applyTexts, text } from "./texts.js";
import { preprocessedLeads } from "./traces.js";
import { whenPageComes } from "./upload.js";
import { mostProbable, verdict } from "./verdict.js";

const OF_THE_PAGE = new Set(["not_an_ecg_page", "unreadable_leads"]);

const whenRead = (draw) => (content) => (content.reading ? draw(content) : waiting());
const section = (id, draw) => new Section(byId(id), draw);
const PICTURES = {
  page: section(
    "section-page",
    whenRead((content) => pageWithBoxes(content, content.answers.length ? "lead" : "box")),
  ),
  gray: section("section-gray", whenRead(grayPage)),
  divided: section("section-divided", whenRead(dividedLeads)),
  preprocessed: section("section-preprocessed", whenRead(preprocessedLeads)),
};
const ANSWERS = {
  leads: section("section-leads", leadTables),
  explanation: section("section-explanation", whenRead(explanations)),
  raw: section("section-raw", rawAnswers),
};
const HOLDERS = { box: PICTURES.page, lead: ANSWERS.leads }; // By the beginning of the ids in them.

let work = new AbortController();
let file = null;
let answers = [];

function say(words, told = false) {
  byId("status").textContent = words;
  byId("status").classList.toggle("told", told);
}
const show = (sections, content) => Object.values(sections).forEach((one) => one.show(content));

function step(state) {
  document.body.dataset.state = state;
  byId("progress").hidden = state !== "busy";
  byId("cancel").hidden = state !== "busy";
}

function begin(models) {
  work.abort();
  work = new AbortController();
  byId("answer").hidden = byId("problem").hidden = true;
  byId("progress").removeAttribute("value");
  say(text(models.length > 1 ? "say.two" : "say.sent"));
  step("busy");
  return work.signal;
}

function uploaded(part) {
  if (part < 1) byId("progress").value = part;
  else byId("progress").removeAttribute("value");
  say(part < 1 ? text("say.sending", { percent: Math.floor(part * 100) }) : text("say.reads"));
}

const classified = (models, signal) =>
  Promise.all(models.map((model) => send("classify", file, { model }, { signal, onUpload: uploaded })));

function showAnswers(results) {
  answers = results.filter(({ ok }) => ok).map(({ content }) => content);
  const cards = results.map(({ ok, content }) => (ok ? answerCard(content) : problemCard(content)));
  byId("cards").replaceChildren(...cards);
  byId("comparison").replaceChildren(...(answers.length > 1 ? comparison(answers) : []));
  byId("answer").hidden = false;
  show(ANSWERS, { answers });
  step("answered");
  document.body.classList.toggle("comparing", results.length > 1);
  say(answers.map((answer) => `${answer.model.name}: ${verdict(answer)}. ${mostProbable(answer)}`).join(" "), true); // The verdict says the same in large letters.
}

function showProblem(problem, signal) {
  answers = [];
  byId("refusal").replaceChildren(problemCard(problem));
  byId("problem").hidden = false;
  byId("answer").hidden = true;
  step("refused");
  say("");
  // The picture may take a while, which nothing else waits for.
  decoded(file).then((picture) => {
    if (!signal.aborted) byId("refusal").replaceChildren(problemCard(problem, { beside: [pictureOf(file, picture)] }));
  });
}

function showSections(refusal) {
  byId("answers").hidden = Boolean(refusal);
  byId("pictures").hidden = Boolean(refusal) && !OF_THE_PAGE.has(refusal.code);
}

// A page that was refused for what it shows is read all the same, so that a person sees why.
async function showReading(model, signal) {
  show(PICTURES, { answers });
  const examine = answers.length ? "" : "false";
  const { ok, content } = await send("reading", file, { model, examine }, { signal });
  if (!ok) return say(`${byId("status").textContent} ${text("say.no_pictures", { title: content.title })}`);
  const picture = (await decoded(file)) ?? (await grayPicture(content.page));
  if (signal.aborted) return;
  showEcg(content, picture);
  const all = { answers, picture, reading: content, explain, signal };
  show(PICTURES, all);
  show(answers.length ? ANSWERS : {}, all);
}

let address = null;

function showEcg(reading, picture) {
  if (address) URL.revokeObjectURL(address);
  address = picture instanceof ImageBitmap ? URL.createObjectURL(file) : null;
  const view = new EcgView(reading, address);
  byId("ecg").replaceChildren(view.element);
  byId("paper").replaceChildren(paperSheet(reading));
  view.draw();
}

const explain = async (model, signal) => send("classify", file, { model, explain: "true" }, { signal });

// The focus makes screen readers say what came; it stays where it is when only the model was changed.
// In a wide window the page begins at its top, where answer and ECG are seen together.
function reveal(id, moveFocus) {
  if (!moveFocus) return;
  const wide = matchMedia("(min-width: 62rem)").matches;
  byId(id).focus({ preventScroll: wide });
  if (wide) scrollTo({ top: 0, behavior: "instant" });
}

async function read({ moveFocus }) {
  if (!file) return;
  const models = chosenModels();
  const signal = begin(models);
  byId("pictures").hidden = byId("answers").hidden = true;
  for (const id of ["ecg", "paper"]) byId(id).replaceChildren();
  try {
    const results = await classified(models, signal);
    performance.mark("answered");
    const refusal = results.every(({ ok }) => !ok) ? results[0].content : null;
    if (refusal) showProblem(refusal, signal);
    else showAnswers(results);
    showSections(refusal);
    requestAnimationFrame(() => performance.mark("shown"));
    reveal(refusal ? "problem" : "answer", moveFocus);
    if (!byId("pictures").hidden) await showReading(models[0], signal);
  } catch (fault) {
    if (signal.aborted) return;
    showProblem(FAULT, signal);
    showSections(FAULT);
    throw fault;
  }
}

function receive(received) {
  file = received;
  read({ moveFocus: true });
}

async function start() {
  const problem = await listModels();
  if (problem) say(problem.code === "unauthorized" ? text("say.key") : text("say.no_models"));
}

applyTexts();
markWhatIsPointedAt();
whenPageComes(receive, say);
whenChosen(() => read({ moveFocus: false }));
whenSignedIn(async () => {
  say("");
  await start();
  read({ moveFocus: true });
});
offerToKeep(() => answers, say);
byId("cancel").addEventListener("click", () => {
  work.abort();
  step("empty");
  say(text("say.cancelled"));
});
// A link opens what it leads to, which may not even be drawn as long as it is closed.
document.addEventListener("click", ({ target }) => {
  const id = target.closest?.("a[href^='#']")?.getAttribute("href").slice(1);
  if (!id) return;
  HOLDERS[id.split("-")[0]]?.open();
  byId(id)?.closest("details")?.setAttribute("open", "");
});
// Leaving ends what is asked for.
addEventListener("pagehide", () => work.abort());
start();
