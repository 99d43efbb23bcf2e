// Sends the chosen page to the service and shows what it answers, or why it refuses.

import { byId, element, inWords } from "./elements.js";
import { askForKey, authorization, whenKeyChanges } from "./key.js";

const percent = new Intl.NumberFormat("en", { style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 });
const NO_ANSWER = {
  title: "No answer of the service arrived",
  found: "A connection that broke, or an answer of something in between",
  expected: "An answer of the service",
  remedy:
    "Check that the file is a single report page: the upload of a file that is far too large is cut off. " +
    "Otherwise check the connection and try again.",
  request_id: "unknown",
};
const FAULT = {
  title: "This page failed",
  found: "A fault in the page itself",
  expected: "An answer that it can show",
  remedy: "Reload the page and try again; if it stays, tell whoever runs the service.",
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
  byId("decision").textContent =
    answer.decision === "reported" ? "Reported." : "Referred: a person has to look at this page.";
  byId("reasons").replaceChildren(...answer.reasons.map(({ message }) => element("li", message)));
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

// The focus makes screen readers announce it; a live region would announce it a second time.
function reveal(id) {
  byId(id).hidden = false;
  byId(id).focus();
}

async function fetched(address, options) {
  try {
    const response = await fetch(address, { ...options, headers: authorization() });
    if (response.status === 401) askForKey();
    return { ok: response.ok, content: await response.json() };
  } catch {
    return { ok: false, content: NO_ANSWER };
  }
}

function post(form) {
  const query = form.model.value ? `?${new URLSearchParams({ model: form.model.value })}` : "";
  const body = new FormData();
  body.append("file", form.file.files[0]);
  return fetched(`classify${query}`, { method: "POST", body });
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
  } catch (fault) {
    showProblem(FAULT);
    throw fault;
  } finally {
    byId("status").textContent = "";
    button.disabled = false;
  }
}

async function listModels() {
  const { ok, content } = await fetched("models");
  if (!ok) {
    byId("status").textContent =
      content.code === "unauthorized"
        ? "This service asks for a key."
        : "The models cannot be listed: the default model will answer.";
    return;
  }
  byId("status").textContent = "";
  const options = content.models.map(({ name, version }) =>
    element("option", `${name}, version ${version}`, { value: `${name}/${version}` }),
  );
  byId("model").replaceChildren(element("option", "Default", { value: "" }), ...options);
}

byId("upload").addEventListener("submit", classify);
whenKeyChanges(listModels);
listModels();
