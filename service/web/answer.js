// One model's answer: what to do, how probable each class is, findings and the heart rate. The rest is under Details.

import { details } from "./details.js";
import { drawn, element, icon } from "./elements.js";
import { findingsAtAGlance, meaning } from "./findings.js";
import { measured } from "./measured.js";
import { text } from "./texts.js";
import { doubts, isWeak, levelOf, mostProbable, verdict } from "./verdict.js";
import { className, modelName, probability } from "./words.js";

const line = (words, attributes) => element("p", words, attributes);

function banner(answer) {
  const level = levelOf(answer);
  const reasons = doubts(answer).map((words) => element("li", words));
  const words = [
    element("h3", verdict(answer)),
    line([element("strong", mostProbable(answer)), " ", text(`verdict.${level}.do`)], { class: "do" }),
    ...(reasons.length ? [element("ul", reasons, { class: "because" })] : []),
    ...(isWeak(answer.model) ? [line(text("verdict.weak"))] : []),
    ...(answer.seen_in_training ? [line(text("verdict.seen"))] : []),
  ];
  return element("div", [icon(level), element("div", words)], { class: `banner ${level}` });
}

// The bar repeats the number beside it, so it is hidden from screen readers.
function bar(value) {
  const whole = drawn("rect", { class: "whole", width: 100, height: 1 });
  const part = drawn("rect", { class: "part", width: value * 100, height: 1 });
  return drawn("svg", { class: "bar", viewBox: "0 0 100 1", preserveAspectRatio: "none", "aria-hidden": "true" }, [
    whole,
    part,
  ]);
}

// The same place for a class on every page, the most dangerous first.
const ORDER = ["myocardial_infarction", "history_of_mi", "abnormal_heartbeat"];
const place = (name) => (ORDER.includes(name) ? ORDER.indexOf(name) : ORDER.length);
export const inOrder = (probabilities) =>
  Object.entries(probabilities).sort(([one], [other]) => place(one) - place(other));

function bars({ probabilities, predicted_class, model }) {
  const entries = inOrder(probabilities).map(([name, value]) => {
    const most = name === predicted_class ? { class: "most" } : {};
    const term = element("dt", [element("span", className(name)), meaning(model, name)]);
    return element("div", [term, element("dd", [element("span", probability(value)), bar(value)])], most);
  });
  return element("dl", entries, { class: "bars" });
}

const part = (title, content) => (content ? [element("section", [element("h4", title), ...[content].flat()])] : []);

export function answerCard(answer) {
  const parts = [
    part(text("classes.title"), bars(answer)),
    part(text("findings.title"), findingsAtAGlance(answer)),
    part(text("measured.title"), measured(answer)),
    details(answer),
  ];
  return element("article", [banner(answer), element("div", parts.flat(), { class: "parts" })], {
    class: "answer",
    "aria-label": `${modelName(answer.model)}: ${verdict(answer)}`,
  });
}
