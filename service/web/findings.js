// What stands beside the classes: the measured rate, the findings, and whether the model's two networks agree.

import { definitions, element } from "./elements.js";
import { cardOf } from "./service.js";
import { RATES, className, capital, perMinute, probability, share } from "./words.js";

// A small text that the model's card gives; empty until the card is there, or where the card has none.
export function fromCard(model, textOf, attributes = {}) {
  const place = element("small", "", { class: "quiet", ...attributes });
  cardOf(model).then((card) => (place.textContent = (card && textOf(card)) ?? ""));
  return place;
}

export const meaning = (model, name) =>
  fromCard(model, (card) => card.class_meanings[name], { class: "quiet meaning" });

function item(name, value, ...texts) {
  return element("li", [element("span", capital(name)), " ", element("span", value), ...texts]);
}

function finding(model, { code, name, probability: value, threshold, present }) {
  const compared = `${present ? "at or above" : "below"} its threshold, ${share(threshold)}`;
  const sentence = fromCard(model, (card) => card.findings.find((one) => one.code === code)?.sentence);
  return item(name, probability(value), element("small", compared), sentence);
}

const list = (items, kind) => element("ul", items, { class: `findings ${kind}` });

// A rate outside of 60 to 100 a minute, which needs no model.
const measured = ({ rate, heart_rate_bpm }) =>
  RATES[rate] ? [item(RATES[rate], perMinute(heart_rate_bpm), element("small", "measured on the rhythm strip"))] : [];

// The most probable first.
export const presentOf = (findings) =>
  findings.filter((one) => one.present).sort((one, other) => other.probability - one.probability);

// null where there is nothing to show.
export function findings({ findings: all, quality, model }) {
  const absent = all.filter((one) => !one.present);
  const shown = [...measured(quality), ...presentOf(all).map((one) => finding(model, one))];
  if (!all.length && !shown.length) return null;
  const parts = [shown.length ? list(shown, "present") : element("p", "No finding reaches its threshold.")];
  if (absent.length) {
    const many = absent.length > 1;
    const title = many ? `${absent.length} findings below their thresholds` : "1 finding below its threshold";
    const rest = list(
      absent.map((one) => finding(model, one)),
      "absent",
    );
    parts.push(element("details", [element("summary", title), rest]));
  }
  return element("div", parts);
}

const most = (said) => Object.entries(said).reduce((one, other) => (other[1] > one[1] ? other : one));

// Names and words; null where the model has one network.
export function readersInWords({ readers }) {
  if (!readers) return null;
  const both = [readers.class_network, readers.findings_network].map(most);
  const [one, other] = both.map(([name, value]) => `${className(name)}, ${probability(value)}`);
  return [
    ["Class network", one],
    ["Findings network", other],
    ["Same class", both[0][0] === both[1][0] ? "yes" : "no"],
  ];
}

export function readers(answer) {
  const words = readersInWords(answer);
  return words && definitions(words);
}
