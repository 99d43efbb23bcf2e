// Findings: those at or above their thresholds at a glance, all of them with thresholds and sentences under Details.

import { element } from "./elements.js";
import { cardOf } from "./service.js";
import { text, textOr } from "./texts.js";
import { className, findingName, perMinute, probability, rateName, rateOf } from "./words.js";

const AT_A_GLANCE = 6;

// A small text that the model's card gives; empty until the card is there, or where the card has none.
function fromCard(model, textOf, attributes = {}) {
  const place = element("small", "", { class: "quiet", lang: "en", ...attributes });
  cardOf(model).then((card) => (place.textContent = (card && textOf(card)) ?? ""));
  return place;
}

// Classes that this page has no line for are told in the card's words.
export function meaning(model, name) {
  const words = textOr(`meaning.${name}`, null);
  return words === null
    ? fromCard(model, (card) => card.class_meanings[name], { class: "quiet meaning" })
    : element("small", words, { class: "quiet meaning" });
}

function item(name, value, ...texts) {
  return element("li", [element("span", name), " ", element("span", value), ...texts]);
}

function explained(model, finding) {
  const { code, probability: value, threshold, present } = finding;
  const compared = text(present ? "findings.reaches" : "findings.below", { percent: probability(threshold) });
  const sentence = fromCard(model, (card) => card.findings.find((one) => one.code === code)?.sentence);
  return item(findingName(finding), probability(value), element("small", compared), sentence);
}

const list = (items, kind) => element("ul", items, { class: `findings ${kind}` });

// A rate outside of 60 to 100 a minute, which needs no model.
const rate = ({ rate: band, heart_rate_bpm }, ...texts) =>
  rateName(band) ? [item(rateName(band), perMinute(heart_rate_bpm), ...texts)] : [];

// The most probable first.
export const presentOf = (findings) =>
  findings.filter((one) => one.present).sort((one, other) => other.probability - one.probability);

// null where there is nothing to show.
export function findingsAtAGlance(answer) {
  const { findings } = answer;
  const present = presentOf(findings).map((one) => item(findingName(one), probability(one.probability)));
  const all = [...rate(rateOf(answer)), ...present];
  if (!findings.length && !all.length) return null;
  if (!all.length) return element("p", text("findings.none"));
  const shown = all.length > AT_A_GLANCE + 1 ? all.slice(0, AT_A_GLANCE) : all;
  const rest = all.length - shown.length;
  const more = rest ? [element("li", text("findings.more", { count: rest }), { class: "quiet" })] : [];
  return list([...shown, ...more], "present");
}

export function allFindings(answer) {
  const { findings, model } = answer;
  const strip = element("small", text("findings.strip"));
  const shown = [...rate(rateOf(answer), strip), ...presentOf(findings).map((one) => explained(model, one))];
  const absent = findings.filter((one) => !one.present).map((one) => explained(model, one));
  const lists = [shown.length ? list(shown, "present") : null, absent.length ? list(absent, "absent") : null];
  return lists.some(Boolean) ? lists.filter(Boolean) : null;
}

const most = (said) => Object.entries(said).reduce((one, other) => (other[1] > one[1] ? other : one));

// Names and words; null where the model has one network.
export function readersInWords({ readers }) {
  if (!readers) return null;
  const both = [readers.class_network, readers.findings_network].map(most);
  const [one, other] = both.map(([name, value]) => `${className(name)}, ${probability(value)}`);
  return [
    [text("details.class_network"), one],
    [text("details.findings_network"), other],
    [text("details.same"), text(both[0][0] === both[1][0] ? "yes" : "no")],
  ];
}
