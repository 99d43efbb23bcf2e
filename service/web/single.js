// One page on the screen: it is sent, models answer, and what was read is shown. The next page ends the work on it.

import { answerCard } from "./answer.js";
import { comparison } from "./compare.js";
import { EcgView } from "./ecg-view.js";
import { byId } from "./elements.js";
import { explanations } from "./explanation.js";
import { leadTables } from "./lead-table.js";
import { chosenModels } from "./models.js";
import { dividedLeads, grayPage, pageWithBoxes } from "./page-view.js";
import { addressOfPicture, decoded, grayPicture } from "./picture.js";
import { FAULT, pictureOf, problemCard } from "./problem.js";
import { rawAnswers } from "./raw.js";
import { Section, waiting } from "./sections.js";
import { send } from "./service.js";
import { hasSignalsOnly, readSignals } from "./signals.js";
import { paperSheet, provenance } from "./paper.js";
import { text } from "./texts.js";
import { preprocessedLeads } from "./traces.js";
import { mostProbable, verdict } from "./verdict.js";
import { modelRef } from "./words.js";

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
export const HOLDERS = { box: PICTURES.page, lead: ANSWERS.leads }; // By the beginning of the ids in them.

let work = new AbortController();
let file = null;
let results = []; // { ok, content } of each model
let seen = null; // { reading, picture } of the page, once they are there
let release = () => {};

export const answers = () => results.filter(({ ok }) => ok).map(({ content }) => content);

// `told`: the page says the same in large letters, so that only screen readers need it here.
export function say(words, told = false) {
  byId("status").textContent = words;
  byId("status").classList.toggle("told", told);
}

const show = (sections, content) => Object.values(sections).forEach((one) => one.show(content));

function step(state) {
  document.body.dataset.state = state;
  byId("progress").hidden = state !== "busy";
  byId("cancel").hidden = state !== "busy";
}

// Ends the work, and takes what it showed off the screen.
export function clear(state) {
  work.abort();
  work = new AbortController();
  results = [];
  seen = null;
  for (const id of ["ecg", "paper", "comparison"]) byId(id).replaceChildren();
  for (const id of ["answer", "problem", "pictures", "answers"]) byId(id).hidden = true;
  document.body.classList.remove("comparing");
  step(state);
  return work.signal;
}

export function cancel() {
  work.abort();
  step("empty");
  say(text("say.cancelled"));
}

function uploaded(part) {
  if (part < 1) byId("progress").value = part;
  else byId("progress").removeAttribute("value");
  say(part < 1 ? text("say.sending", { percent: Math.floor(part * 100) }) : text("say.reads"));
}

const classified = (models, signal) =>
  Promise.all(models.map((model) => send("classify", file, { model }, { signal, onUpload: uploaded })));

function showAnswers() {
  const cards = results.map(({ ok, content }) => (ok ? answerCard(content) : problemCard(content)));
  byId("cards").replaceChildren(...cards);
  byId("comparison").replaceChildren(...(answers().length > 1 ? comparison(answers()) : []));
  document.body.classList.toggle("comparing", results.length > 1);
  byId("answer").hidden = false;
  show(ANSWERS, { answers: answers() });
  step("answered");
  const words = answers().map((answer) => `${answer.model.name}: ${verdict(answer)}. ${mostProbable(answer)}`);
  say(words.join(" "), true);
}

function showProblem(problem, signal) {
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

function showResults(signal, moveFocus) {
  const refusal = results.every(({ ok }) => !ok) ? results[0].content : null;
  if (refusal) showProblem(refusal, signal);
  else showAnswers();
  byId("answers").hidden = Boolean(refusal);
  byId("pictures").hidden = Boolean(refusal) && !OF_THE_PAGE.has(refusal.code);
  if (refusal && !byId("pictures").hidden) PICTURES.page.open(); // The page and its boxes show why.
  if (moveFocus) reveal(refusal ? "problem" : "answer");
}

// A page that was refused for what it shows is read all the same, so that a person sees why.
async function showReading(model, signal) {
  if (hasSignalsOnly(answers()[0])) return showSignals(signal);
  show(PICTURES, { answers: answers() });
  const examine = answers().length ? "" : "false";
  const { ok, content } = await send("reading", file, { model, examine }, { signal });
  if (!ok) {
    byId("pictures").hidden = true;
    return say(`${byId("status").textContent} ${text("say.no_pictures", { title: content.title })}`);
  }
  const picture = (await decoded(file)) ?? (await grayPicture(content.page));
  if (signal.aborted) return;
  seen = { reading: content, picture };
  showSeen(signal);
}

// No picture shows how a recording or another cart's page was read.
async function showSignals(signal) {
  byId("pictures").hidden = true;
  const { ok, content, picture } = await readSignals(file, signal);
  if (!ok) return say(`${byId("status").textContent} ${text("say.no_pictures", { title: content.title })}`);
  if (signal.aborted) return;
  seen = { reading: content, picture };
  showSeen(signal);
}

function showSeen(signal) {
  const { reading } = seen;
  const all = { answers: answers(), ...seen, explain, signal };
  if (!byId("pictures").hidden) show(PICTURES, all);
  show(answers().length ? ANSWERS : {}, all);
  if (!answers().length) return;
  release();
  const { address, done } = addressOfPicture(file, seen.picture);
  release = done;
  const view = new EcgView({ ...reading, measurements: answers()[0].measurements }, address);
  byId("ecg").replaceChildren(view.element);
  view.draw();
  byId("paper").replaceChildren(paperSheet(reading, answers()), provenance(answers()));
}

const explain = async (model, signal) => send("classify", file, { model, explain: "true" }, { signal });

// The focus makes screen readers say what came. In a wide window answer and ECG are seen together from the top.
function reveal(id) {
  const wide = matchMedia("(min-width: 62rem)").matches;
  byId(id).focus({ preventScroll: wide });
  if (wide) scrollTo({ top: 0, behavior: "instant" });
}

async function shown(models, signal, moveFocus, answered) {
  try {
    results = await answered;
    performance.mark("answered");
    showResults(signal, moveFocus);
    requestAnimationFrame(() => performance.mark("shown"));
    if (!byId("pictures").hidden) await showReading(models[0], signal);
  } catch (fault) {
    if (signal.aborted) return;
    results = [{ ok: false, content: FAULT }];
    showResults(signal, moveFocus);
    throw fault;
  }
}

// Sends the page again where another model was chosen; the focus then stays where it is.
export async function read({ moveFocus }) {
  if (!file) return;
  const models = chosenModels();
  const signal = clear("busy");
  byId("progress").removeAttribute("value");
  say(text(models.length > 1 ? "say.two" : "say.sent"));
  await shown(models, signal, moveFocus, classified(models, signal));
}

export function readFile(page) {
  file = page;
  return read({ moveFocus: true });
}

// A page that has its answer, or its problem, already.
export async function showEntry({ file: page, answer, problem }) {
  file = page;
  const signal = clear("busy");
  const models = [answer ? modelRef(answer.model) : ""];
  const result = { ok: Boolean(answer), content: answer ?? problem };
  await shown(models, signal, true, [result]);
}

export function forget() {
  file = null;
}

// Draws the same again, in another language.
export function redraw() {
  if (!results.length) return;
  showResults(work.signal, false);
  if (seen) showSeen(work.signal);
}

export const leave = () => work.abort();
