// What the service said about the page: the decision first, then the probabilities, then what they rest on.

import { definitions, drawn, element, icon } from "./elements.js";
import { findings, meaning, readers } from "./findings.js";
import { elsewhere, flags, whereChosen } from "./thresholds.js";
import {
  capital,
  className,
  heartRate,
  inWords,
  milliseconds,
  modelName,
  modelRef,
  moment,
  number,
  probability,
  share,
} from "./words.js";

export const SEEN_BEFORE =
  "The model was trained on this very file: its answer here shows nothing about how good it is.";
export const SITE_POLICY = "from this site's policy, not from the model";
export const DECISIONS = {
  reported: [
    "Reported",
    "Nothing on the page or in the probabilities spoke against giving this answer. It can still be wrong.",
  ],
  referred: ["Referred to a person", "A person has to look at this page before the answer is used:"],
};

function banner({ decision, predicted_class, probabilities, reasons, model, seen_in_training }) {
  const [title, words] = DECISIONS[decision];
  const most = `${className(predicted_class)}, ${probability(probabilities[predicted_class])}`;
  const text = [
    element("p", [title, element("span", ` · ${modelName(model)}`, { class: "by" })], { class: "decision" }),
    element("h3", [element("span", "Most probable: ", { class: "lead-in" }), most]),
    element("p", words),
    ...(reasons.length
      ? [
          element(
            "ul",
            reasons.map(({ message }) => element("li", message)),
          ),
        ]
      : []),
    ...(seen_in_training ? [element("p", SEEN_BEFORE)] : []),
  ];
  return element("div", [icon(decision), element("div", text)], { class: `banner ${decision}` });
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

function bars({ probabilities, predicted_class, model }) {
  const entries = Object.entries(probabilities).map(([name, value]) => {
    const text = element("span", probability(value));
    const most = name === predicted_class ? { class: "most" } : {};
    const term = element("dt", [className(name), meaning(model, name)]);
    return element("div", [term, element("dd", [bar(value), text])], most);
  });
  return element("dl", entries, { class: "bars" });
}

function weakest(coverage) {
  const [lead, least] = Object.entries(coverage).sort(([, one], [, other]) => one - other)[0];
  return `in ${share(least)} of the width or more (least in ${inWords(lead)})`;
}

function quality({ quality: measured }) {
  const { einthoven_residual_mv, coverage } = measured;
  const off = `${number(einthoven_residual_mv, 3)} mV`;
  return definitions([
    ["Heart rate", heartRate(measured)],
    ["Lead consistency", `${off} off `, note("root mean square of II − I − III; 0 mV but for noise")],
    ["Curve found", weakest(coverage)],
  ]);
}

const note = (text) => element("small", text, { class: "quiet" });

function watch(answer) {
  const { operating_point: point } = answer;
  const [name, words] = flags(point);
  if (!point) return [name, words];
  const judged = note("");
  elsewhere(answer).then((worth) => (judged.textContent = worth));
  return [name, words, judged, note(whereChosen(point))];
}

const SEEN = new Map([
  [true, "yes"],
  [false, "no"],
  [null, "the model does not say"],
]);

function origin(answer) {
  const { model, image, source, timings_ms, seen_in_training, request_id } = answer;
  return definitions([
    ["Model", element("a", modelName(model), { href: `#model-${modelRef(model)}` })],
    watch(answer),
    ...(answer.policy === "site" ? [["Thresholds", SITE_POLICY]] : []),
    ["Seen in training", SEEN.get(seen_in_training)],
    ["Page", `${image ? `${image.format}, ${image.width_px} × ${image.height_px} px.` : source.how} Read in ${milliseconds(timings_ms.total)}`],
    ["SHA-256 of it", element("code", (image ?? source).sha256)],
    ["Answered", moment(new Date())],
    ["Request", element("code", request_id)],
  ]);
}

const part = (title, content) => (content ? [element("section", [element("h4", title), content])] : []);
const column = (...parts) => element("div", parts.flat());

export function answerCard(answer) {
  const parts = [
    column(
      part("Probabilities of the page", bars(answer)),
      part("The model's two networks", readers(answer)),
      part("Measured on the page", quality(answer)),
    ),
    column(part("Findings", findings(answer)), part("Where the answer comes from", origin(answer))),
  ];
  const label = `${capital(modelName(answer.model))}: ${DECISIONS[answer.decision][0]}`;
  return element("article", [banner(answer), element("div", parts, { class: "parts" })], {
    class: "answer",
    "aria-label": label,
  });
}
