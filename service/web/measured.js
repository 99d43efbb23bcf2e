// What was measured on the page without a model: rate, intervals, axis and ST levels, each only where it is sure.

import { definitions, element } from "./elements.js";
import { text } from "./texts.js";
import { heartRate, leadName, milliseconds, number } from "./words.js";

const MARKED_MV = 0.1; // a small square

const degrees = (value) => `${number(value, 0)}°`;
const signed = (mv) => {
  const shown = Math.round(mv * 100) / 100 || 0; // Not −0.00, nor +0.00.
  return `${shown > 0 ? "+" : ""}${number(shown, 2)}`;
};
const given = (value, write) => (value === null ? text("measured.not") : write(value));

// Names and words.
export function measuredInWords(answer) {
  const { pr_ms, qrs_ms, qt_ms, qtc_fridericia_ms, qtc_bazett_ms, axis_deg } = answer.measurements;
  const bazett = (ms) => `${ms} (${text("measured.bazett", { ms: milliseconds(qtc_bazett_ms) })})`;
  return [
    [text("measured.rate"), heartRate(answer)],
    [text("measured.pr"), given(pr_ms, milliseconds)],
    [text("measured.qrs"), given(qrs_ms, milliseconds)],
    [text("measured.qt"), given(qt_ms, milliseconds)],
    [text("measured.axis"), given(axis_deg, degrees)],
    [text("measured.qtc"), given(qtc_fridericia_ms, (ms) => bazett(milliseconds(ms)))],
  ];
}

// Six leads in a row, as they are read.
function stLevels(levels) {
  const cell = ([lead, mv]) => {
    const most = Math.abs(mv ?? 0) >= MARKED_MV ? { class: "most" } : {};
    return element("div", [element("dt", leadName(lead)), element("dd", mv === null ? "–" : signed(mv))], most);
  };
  return element("dl", Object.entries(levels).map(cell), { class: "st" });
}

export function measured(answer) {
  const { st_mv } = answer.measurements;
  const values = definitions(measuredInWords(answer), { class: "values" });
  if (Object.values(st_mv).every((mv) => mv === null)) return [values];
  return [values, element("p", text("measured.st"), { class: "quiet" }), stLevels(st_mv)];
}
