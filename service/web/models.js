// The models there are: to choose from, to compare, and to look at one by one.

import { byId, element } from "./elements.js";
import { Section } from "./sections.js";
import { ask } from "./service.js";
import { text } from "./texts.js";
import { isWeak } from "./verdict.js";
import { capital, interval, modelName, modelRef, share } from "./words.js";

const option = (words, value) => element("option", words, { value });
const named = (model) => `${modelName(model)}${isWeak(model) ? ` (${text("model.weak")})` : ""}`;

function fill(select, options) {
  const chosen = select.value;
  select.replaceChildren(...options);
  select.value = [...select.options].some(({ value }) => value === chosen) ? chosen : "";
}

function offer({ default: fallback, models }) {
  const bundles = models.map((model) => option(named(model), modelRef(model)));
  const aliases = models.flatMap((model) => model.aliases.map((alias) => option(`${alias}: ${named(model)}`, alias)));
  const groups = [
    [text("model.aliases"), aliases],
    [text("model.bundles"), bundles],
  ].filter(([, options]) => options.length);
  fill(byId("model"), [
    option(`${text("model.default")}${fallback.model ? `: ${fallback.model}` : ""}`, ""),
    ...groups.map(([label, options]) => element("optgroup", options, { label })),
  ]);
}

// Which bundle stands behind a choice: an alias, a bundle, or "" for the default.
function refOf(choice, { default: fallback, models }) {
  const aliased = models.find(({ aliases }) => aliases.includes(choice));
  return aliased ? modelRef(aliased) : choice || fallback.model;
}

let listed = { default: {}, models: [] };

// Every model but the chosen one, once: comparing a model with itself says nothing.
function offerOthers() {
  const chosen = refOf(byId("model").value, listed);
  const others = listed.models.filter((model) => modelRef(model) !== chosen);
  const options = others.map((model) => option(named(model), modelRef(model)));
  fill(byId("other"), [option(text("model.none"), ""), ...options]);
}

// What a protocol makes of an accuracy, by its name in the bundle.
const PROTOCOLS = {
  "leak-free": "judged without copies, no record on two sides",
  published: "judged among others on copies of its training pages, which says nothing about new patients",
};

// Bundles of networks that look at lead images have it of the pages of their test split.
function accuracy({ protocol, test_page, ...whole }) {
  const { accuracy: value, accuracy_ci95 } = test_page ?? whole;
  if (typeof value !== "number") return [];
  const within = accuracy_ci95 ? ` (95% interval ${interval(accuracy_ci95)})` : "";
  return [`accuracy ${share(value)}${within}, ${PROTOCOLS[protocol] ?? "how the pages were split is not said"}`];
}

function summary({ name, version, aliases, default: isDefault, metrics, reports, description }) {
  const facts = [
    ...(isDefault ? ["answers by default"] : []),
    ...aliases.map((alias) => `alias ${alias}`),
    ...accuracy(metrics),
    reports ? "reports or refers" : "refers every page",
  ];
  return element("summary", [
    element("h3", modelName({ name, version })),
    ...(isWeak({ name }) ? [element("strong", text("model.weak"), { class: "weak" })] : []),
    element("span", `${description} ${capital(facts.join("; "))}.`, { class: "quiet" }),
  ]);
}

// Cards and their charts are loaded when one is looked at.
function card(ref) {
  const place = element("div");
  import("./card.js").then(({ modelCard }) => place.replaceWith(modelCard(ref)));
  return place;
}

function bundle(model) {
  const ref = modelRef(model);
  const details = element("details", [summary(model), element("div", [], { class: "body" })], {
    id: `model-${ref}`,
    class: "section",
  });
  new Section(details, () => card(ref)).show({});
  return details;
}

const broken = ({ model, reason }) =>
  element("p", [element("strong", `${model} is not served: `), reason], { class: "warning" });

// Fills both lists and the bundles' cards; gives the problem where the models cannot be listed.
export async function listModels() {
  const { ok, content } = await ask("models");
  if (!ok) return content;
  listed = content;
  const { models, broken: unserved } = content;
  offer(content);
  offerOthers();
  byId("model-list").replaceChildren(
    ...[...models].sort((one, other) => other.default - one.default).map(bundle),
    ...unserved.map(broken),
  );
  return null;
}

// What `?model=` is to be for each answer that is wanted; "" for the default.
export const chosenModels = () => [byId("model").value, ...(byId("other").value ? [byId("other").value] : [])];

export function whenChosen(listener) {
  byId("model").addEventListener("change", offerOthers);
  for (const id of ["model", "other"]) byId(id).addEventListener("change", listener);
}
