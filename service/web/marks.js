// Marks below a curve: where its beats are, and where the waves of those that were measured begin and end.

import { drawn } from "./elements.js";

const FROM_CURVE_MM = 1.5;
const BEAT_MM = 1.6; // half the width of a beat's mark
const BAR_MM = 1.6;

// A bar from the P wave to the end of T; the QRS is its thick part.
function intervals({ p_onset, qrs_onset, qrs_end, t_end }, at, y) {
  if (qrs_onset === null) return [];
  const middle = y + BAR_MM / 2;
  const thin = [
    [p_onset, qrs_onset],
    [qrs_end, t_end],
  ].filter((pair) => !pair.includes(null));
  const lines = thin.map(([from, to]) => `M${at(from)} ${middle}H${at(to)}`).join("");
  const ends = [p_onset, t_end].filter((one) => one !== null).map((one) => `M${at(one)} ${y}v${BAR_MM}`).join("");
  const width = at(qrs_end) - at(qrs_onset);
  return [
    drawn("path", { class: "interval", d: lines + ends }),
    drawn("rect", { class: "qrs", x: at(qrs_onset), y, width, height: BAR_MM }),
  ];
}

// `x0`: millimetre of the first instant; `bottom`: the curve's lowest place.
export function marks({ beats, waves_ms }, x0, bottom, { speed }) {
  const top = bottom + FROM_CURVE_MM;
  const parts = beats.flatMap(({ r_s, measured }) => {
    const at = (ms) => Number((x0 + (r_s + ms / 1000) * speed).toFixed(2));
    const peak = `M${at(0)} ${top}l${BEAT_MM} ${BEAT_MM}h${-2 * BEAT_MM}z`;
    const beat = drawn("path", { class: measured ? "peak" : "peak other", d: peak });
    return [beat, ...(measured ? intervals(waves_ms, at, top + BEAT_MM + 0.4) : [])];
  });
  return drawn("g", { class: "marks" }, parts);
}

export const MARKS_MM = FROM_CURVE_MM + BEAT_MM + 0.4 + BAR_MM;
