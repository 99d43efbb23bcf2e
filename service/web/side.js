// Two pages side by side, an earlier one and the one of now: verdicts, ECGs that move together, and what changed.

import { answerCard, inOrder } from "./answer.js";
import { change } from "./compare.js";
import { EcgView } from "./ecg-view.js";
import { element, table } from "./elements.js";
import { presentOf } from "./findings.js";
import { text } from "./texts.js";
import { className, findingName, heartRate, probability, rateOf } from "./words.js";

function changedFindings(one, other) {
  const codes = new Set(presentOf(one.findings).map(({ code }) => code));
  return presentOf(other.findings).filter(({ code }) => !codes.has(code)).map(findingName);
}

const listed = (names) => names.join(", ") || text("side.nothing");

function changes([one, other]) {
  const names = inOrder(one.answer.probabilities).map(([name]) => name).filter((name) => name in other.answer.probabilities);
  const classes = names.map((name) => {
    const pair = [one, other].map(({ answer }) => answer.probabilities[name]);
    return [className(name), ...pair.map(probability), change(...pair)];
  });
  const rates = [one, other].map(({ answer }) => rateOf(answer).heart_rate_bpm);
  const rate = rates.includes(null) ? "–" : change(...rates.map((value) => value / 100));
  const measured = [text("measured.rate"), ...[one, other].map(({ answer }) => heartRate(answer)), rate];
  const heads = [text("many.page"), text("side.earlier"), text("side.now"), text("side.change")];
  return [
    table(text("side.changes"), heads, [...classes, measured], { class: "numbers" }),
    element("p", text("side.new", { names: listed(changedFindings(one.answer, other.answer)) })),
    element("p", text("side.gone", { names: listed(changedFindings(other.answer, one.answer)) })),
  ];
}

function column({ name, answer }, view, title) {
  const head = element("h3", `${title}: ${name}`);
  return element("div", [head, answerCard(answer).firstChild, ...(view ? [view.element] : [])], { class: "one-side" });
}

// `pair`: two of { name, answer, reading, address }; `reading` is null where it did not arrive.
export function sideBySide(pair) {
  const titles = [text("side.earlier"), text("side.now")];
  const views = pair.map(({ reading, answer: { measurements }, address }, at) => {
    return reading && new EcgView({ ...reading, measurements }, address, titles[at]);
  });
  const columns = pair.map((one, at) => column(one, views[at], titles[at]));
  if (views.every(Boolean)) views[0].link(views[1]);
  const shown = element("div", [element("div", columns, { class: "sides" }), ...changes(pair)]);
  return { shown, draw: () => views.forEach((view) => view?.draw()) };
}
