// The probabilities of each lead as a table of heat, beside a small page that shows where the lead stands.

import { element, scrolling } from "./elements.js";
import { pageWithBoxes } from "./page-view.js";
import { className, leadName, modelName, probability } from "./words.js";

const OVERVIEW_SCALE = 0.5;

function cell(name, lead) {
  const value = lead.probabilities[name];
  const made = element("td", probability(value), name === lead.predicted_class ? { class: "most" } : {});
  made.style.setProperty("--share", value);
  return made;
}

function row(lead, names, ids) {
  const link = element("a", leadName(lead.lead), { href: `#box-${lead.lead}` });
  const cells = [element("th", link, { scope: "row" }), ...names.map((name) => cell(name, lead))];
  return element("tr", cells, { "data-lead": lead.lead, ...(ids ? { id: `lead-${lead.lead}`, tabindex: -1 } : {}) });
}

function heatTable({ model, leads, probabilities }, ids) {
  const names = Object.keys(probabilities);
  const caption = `Probability of each class for each lead, ${modelName(model)}`;
  const heads = ["Lead", ...names.map(className)].map((text) => element("th", text, { scope: "col" }));
  const parts = [
    element("caption", caption),
    element("thead", element("tr", heads)),
    element(
      "tbody",
      leads.map((lead) => row(lead, names, ids)),
    ),
  ];
  return scrolling(element("table", parts, { class: "heat" }), caption);
}

export function leadTables(content) {
  const tables = content.answers.map((answer, index) => heatTable(answer, index === 0));
  const overview = content.reading ? [pageWithBoxes(content, "lead", OVERVIEW_SCALE)] : [];
  return element("div", [element("div", tables, { class: "tables" }), ...overview], { class: "with-overview" });
}
