// Names and numbers as people read them.

const fixed = (digits) => new Intl.NumberFormat("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
const percent = new Intl.NumberFormat("en", { style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 });

export const inWords = (name) => name.replaceAll("_", " ").replace(/\b(mi|ecg)\b/g, (short) => short.toUpperCase());
export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
export const className = (name) => capital(inWords(name));
export const leadName = (lead) => (lead === "rhythm_strip" ? "Rhythm strip" : lead);
export const modelName = ({ name, version }) => `${name}, version ${version}`;
export const modelRef = ({ name, version }) => `${name}/${version}`;

export const number = (value, digits) => fixed(digits).format(value);
export const share = (value) => percent.format(value);
export const interval = (pair, write = share) => `${write(pair[0])} to ${write(pair[1])}`;

// No probability is printed as certain: 0.9997 is not 100 %.
export function probability(value) {
  if (value >= 0.9995) return "> 99.9%";
  if (value > 0 && value < 0.0005) return "< 0.1%";
  return percent.format(value);
}

// Names of the bands of `quality.rate`; a normal rate has none.
export const RATES = { slow: "Bradycardia", fast: "Tachycardia" };
export const perMinute = (rate) => `${number(rate, 0)}/min`;
const RHYTHMS = new Map([
  [true, "regular"],
  [false, "irregular"],
]);
export const heartRate = ({ heart_rate_bpm, rate, regular }) =>
  heart_rate_bpm === null
    ? "not measured: fewer than three beats found"
    : [RATES[rate], perMinute(heart_rate_bpm), RHYTHMS.get(regular)].filter(Boolean).join(", ");

export const milliseconds = (ms) => `${number(ms, 0)} ms`;

const clock = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });
export const moment = (date) => clock.format(date);
