// What to do about a page, in plain words. The API's `reported` and `referred` are for programs.

import { text, textOr } from "./texts.js";
import { className, inWords, probability } from "./words.js";

const CRITICAL = "myocardial_infarction"; // Where a model has no thresholds, and so names no critical class.
const HEALTHY = "normal";

export const criticalClass = ({ operating_point: point }) => point?.critical_class ?? CRITICAL;

// Models that a comparison needs, and that nobody should rely on. See the external figures on their cards.
const WEAK = new Set(["crnn", "cnn"]);
export const isWeak = ({ name }) => WEAK.has(name);

const has = ({ reasons }, code) => reasons.some((one) => one.code === code);

function mayBeCritical(answer) {
  const { predicted_class, operating_point: point, probabilities } = answer;
  const critical = criticalClass(answer);
  const flagged = point && probabilities[critical] >= point.threshold;
  return predicted_class === critical || has(answer, "possible_critical_class") || Boolean(flagged);
}

// "infarction", "unsure", "abnormal" or "normal". A possible infarction comes before every doubt.
export function levelOf(answer) {
  if (mayBeCritical(answer)) return "infarction";
  if (answer.decision === "referred") return "unsure";
  return answer.predicted_class === HEALTHY ? "normal" : "abnormal";
}

export function verdict(answer) {
  const level = levelOf(answer);
  const critical = criticalClass(answer);
  if (level === "infarction" && critical !== CRITICAL) return text("verdict.critical", { name: inWords(critical) });
  return text(`verdict.${level}`);
}

// Doubts about an infarction first, then in the service's order.
const FIRST = ["possible_critical_class", "possible_infarction"];
const urgency = ({ code }) => (FIRST.includes(code) ? FIRST.indexOf(code) : FIRST.length);

// A code that this page has no words for is told in the service's.
export const reasonsInWords = ({ reasons }) =>
  [...reasons]
    .sort((one, other) => urgency(one) - urgency(other))
    .map(({ code, message }) => textOr(`reason.${code}`, message));

export const mostProbable = ({ predicted_class, probabilities }) =>
  text("verdict.most", { name: className(predicted_class), percent: probability(probabilities[predicted_class]) });

// Reasons as sentences: why a person is needed, or what speaks against the verdict.
export function doubts(answer) {
  const key = levelOf(answer) === "unsure" ? "verdict.because" : "verdict.doubt";
  return reasonsInWords(answer).map((reason) => text(key, { reason }));
}

// Title, what to do, and reasons, as lines of text.
export function inLines(answer) {
  return [
    `${verdict(answer)}. ${mostProbable(answer)}`,
    text(`verdict.${levelOf(answer)}.do`),
    ...doubts(answer).map((words) => `- ${words}`),
    ...(isWeak(answer.model) ? [text("verdict.weak")] : []),
    ...(answer.seen_in_training ? [text("verdict.seen")] : []),
  ];
}
