// Sends the chosen page to the service and shows what it answers, or why it refuses.

import { byId, element, inWords } from "./elements.js";

const percent = new Intl.NumberFormat("en", { style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 });
const NO_ANSWER = {
  title: "The service does not answer",
  found: "No answer that this page understands",
  expected: "An answer of the service",
  remedy: "Check the connection and try again.",
  request_id: "unknown",
};

function definitions(list, entries) {
  list.replaceChildren(...entries.flatMap(([term, value]) => [element("dt", term), element("dd", value)]));
}

function bar(className, probability) {
  const text = percent.format(probability);
  const meter = element("meter", text, { min: 0, max: 1, value: probability, "aria-label": inWords(className) });
  return [inWords(className), [meter, element("span", text)]];
}

function leadRow(lead, classNames) {
  const cells = classNames.map((name) =>
    element("td", percent.format(lead.probabilities[name]), name === lead.predicted_class ? { class: "most" } : {}),
  );
  return element("tr", [element("th", inWords(lead.lead), { scope: "row" }), ...cells]);
}

function showAnswer(answer) {
  const classNames = Object.keys(answer.probabilities);
  byId("answer-title").textContent = `Most probable: ${inWords(answer.predicted_class)}`;
  definitions(byId("page"), classNames.map((name) => bar(name, answer.probabilities[name])));
  const heads = ["Lead", ...classNames.map(inWords)].map((text) => element("th", text, { scope: "col" }));
  byId("leads-head").replaceChildren(element("tr", heads));
  byId("leads").replaceChildren(...answer.leads.map((lead) => leadRow(lead, classNames)));
  definitions(byId("facts"), [
    ["Model", `${answer.model.name}, version ${answer.model.version}`],
    ["Page", `${answer.image.format}, ${answer.image.width_px} × ${answer.image.height_px} px`],
    ["Time", `${answer.timings_ms.total.toFixed(0)} ms`],
    ["Request", element("code", answer.request_id)],
  ]);
  reveal("answer");
}

function showProblem(problem) {
  for (const field of ["title", "found", "expected", "remedy"]) byId(`problem-${field}`).textContent = problem[field];
  byId("problem-request").textContent = problem.request_id;
  reveal("problem");
}

function reveal(id) {
  byId(id).hidden = false;
  byId(id).focus();
}

async function post(form) {
  const query = form.model.value ? `?${new URLSearchParams({ model: form.model.value })}` : "";
  const body = new FormData();
  body.append("file", form.file.files[0]);
  const response = await fetch(`classify${query}`, { method: "POST", body });
  return { ok: response.ok, content: await response.json() };
}

async function classify(event) {
  event.preventDefault();
  const form = event.currentTarget;
  const button = form.querySelector("button");
  byId("answer").hidden = byId("problem").hidden = button.disabled = true;
  byId("status").textContent = "Classifying…";
  try {
    const { ok, content } = await post(form);
    (ok ? showAnswer : showProblem)(content);
  } catch {
    showProblem(NO_ANSWER);
  }
  byId("status").textContent = "";
  button.disabled = false;
}

async function listModels() {
  const response = await fetch("models");
  if (!response.ok) return;
  for (const { name, version } of (await response.json()).models) {
    byId("model").append(element("option", `${name}, version ${version}`, { value: `${name}/${version}` }));
  }
}

byId("upload").addEventListener("submit", classify);
listModels();
