// Names and numbers as people read them.

import { languageInUse, text, textOr } from "./texts.js";

const formats = new Map();
function format(options) {
  const key = languageInUse() + JSON.stringify(options);
  if (!formats.has(key)) formats.set(key, new Intl.NumberFormat(languageInUse(), options));
  return formats.get(key);
}
const percent = (digits) =>
  format({ style: "percent", minimumFractionDigits: digits, maximumFractionDigits: digits });

export const inWords = (name) => name.replaceAll("_", " ").replace(/\b(mi|ecg)\b/g, (short) => short.toUpperCase());
export const capital = (words) => words.charAt(0).toUpperCase() + words.slice(1);
export const className = (name) => textOr(`class.${name}`, capital(inWords(name)));
export const findingName = ({ code, name }) => capital(textOr(`finding.${code}`, name));
export const leadName = (lead) => textOr(`lead.${lead}`, lead);
export const modelName = ({ name, version }) => text("model.version", { name, version });
export const modelRef = ({ name, version }) => `${name}/${version}`;

export const number = (value, digits) =>
  format({ minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value);
export const share = (value) => percent(1).format(value);
export const interval = (pair, write = share) => `${write(pair[0])} to ${write(pair[1])}`;

// No decimals above 1 %. No probability is printed as certain: 0.9997 is not 100 %.
export function probability(value) {
  if (value >= 0.995) return `> ${percent(0).format(0.99)}`;
  if (value >= 0.00995 || value === 0) return percent(0).format(value);
  return value < 0.0005 ? `< ${percent(1).format(0.001)}` : percent(1).format(value);
}

export const perMinute = (rate) => `${number(rate, 0)}/min`;
const RHYTHMS = new Map([
  [true, "measured.regular"],
  [false, "measured.irregular"],
]);

// `slow` and `fast` have a name; a normal rate has none.
export const rateName = (rate) => (rate === "slow" || rate === "fast" ? text(`finding.${rate}`) : null);

const SLOW_BELOW = 60; // a minute; the service's own bounds
const FAST_ABOVE = 100;

// Over all leads; where that was not sure, on the rhythm strip alone.
export function rateOf({ measurements, quality }) {
  if (measurements.heart_rate_bpm === null) return quality;
  const { heart_rate_bpm, regular } = measurements;
  return { heart_rate_bpm, regular, rate: heart_rate_bpm < SLOW_BELOW ? "slow" : heart_rate_bpm > FAST_ABOVE ? "fast" : "normal" };
}

export function heartRate(answer) {
  const { heart_rate_bpm, rate, regular } = rateOf(answer);
  if (heart_rate_bpm === null) return text("measured.no_rate");
  const rhythm = RHYTHMS.has(regular) ? text(RHYTHMS.get(regular)) : null;
  return [rateName(rate), perMinute(heart_rate_bpm), rhythm].filter(Boolean).join(", ");
}

export const milliseconds = (ms) => `${number(ms, 0)} ms`;

export const moment = (date) =>
  new Intl.DateTimeFormat(languageInUse() === "en" ? "en-GB" : languageInUse(), {
    dateStyle: "medium",
    timeStyle: "short",
  }).format(date);
