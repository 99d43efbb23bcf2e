// The leads as on paper: curves in mV on a millimetre grid. A sheet is an SVG group measured in millimetres.

import { drawn } from "./elements.js";
import { leadName } from "./words.js";

export const MM_PER_S = 25; // of paper, as of the sheet at its usual speed
export const MM_PER_MV = 10;

const LARGE_MM = 5;
const LEFT_MM = 10; // for the calibration pulse
const EDGE_MM = 2.5;
const NAME_MM = 3.4; // height of a lead's name
const NAME_WIDTH_MM = 13;
const GAP_MM = 1;
const PULSE_S = 0.2;

// Leads whose boxes stand beside each other are a row; where a curve stands in its row says when it was recorded.
function rowsOf(leads) {
  const middle = ({ box }) => box.top_px + box.height_px / 2;
  const rows = [];
  for (const one of [...leads].sort((a, b) => middle(a) - middle(b))) {
    const row = rows.at(-1);
    if (row && Math.abs(middle(row[0]) - middle(one)) < one.box.height_px / 2) row.push(one);
    else rows.push([one]);
  }
  const start = ({ box, trace }) => (box.left_px + trace.start_px) / (trace.step_px * trace.rate_hz);
  const first = Math.min(...leads.map(start));
  return rows.map((row) => row.map((one) => ({ ...one, start_s: start(one) - first })));
}

const highest = (trace, from, to) => Math.max(...trace.top_mv.slice(from, to), ...trace.signal_mv.slice(from, to));
const lowest = (trace) => Math.min(...trace.bottom_mv, ...trace.signal_mv);

// The name stands above all that its lead draws below it, so that no curve covers it.
function nameHeight(trace, { speed, gain }) {
  const under = Math.ceil((NAME_WIDTH_MM / speed) * trace.rate_hz);
  return Math.max(4, highest(trace, 0, under) * gain + GAP_MM);
}

const toLarge = (mm) => Math.ceil(mm / LARGE_MM) * LARGE_MM;

// Each row is as high as its curves, so that rows do not run into one another. Zero lines stand on large squares.
// `rows_mm`: at most this much for all rows, which paper needs; then tall curves may cross.
function placed(leads, scale, rows_mm = Infinity) {
  let bottom = 0;
  const rows = rowsOf(leads).map((row) => {
    const up = Math.max(
      ...row.map(({ trace }) => Math.max(highest(trace) * scale.gain, nameHeight(trace, scale) + NAME_MM)),
      scale.gain + GAP_MM,
    );
    const zero = toLarge(bottom + up + GAP_MM);
    bottom = zero + Math.max(LARGE_MM, ...row.map(({ trace }) => GAP_MM - lowest(trace) * scale.gain));
    return { row, zero };
  });
  const squeeze = Math.min(1, rows_mm / bottom);
  return { rows: rows.map(({ row, zero }) => ({ row, zero: zero * squeeze })), height: toLarge(bottom * squeeze) };
}

const mm = (value) => value.toFixed(2);

// The drawn band from edge to edge: its height is the pen's reach in each step, so R peaks keep all of it.
function band(trace, at) {
  const forth = trace.top_mv.map((mv, k) => at(k, Math.max(mv, trace.signal_mv[k])));
  const back = trace.bottom_mv.map((mv, k) => at(k, Math.min(mv, trace.signal_mv[k]))).reverse();
  return `M${[...forth, ...back].join("L")}Z`;
}

function lead({ lead: name, trace, start_s }, zero, { speed, gain }) {
  const x0 = LEFT_MM + start_s * speed;
  const at = (k, mv) => `${mm(x0 + (k / trace.rate_hz) * speed)} ${mm(zero - mv * gain)}`;
  const label = { class: "name", x: mm(x0 + GAP_MM), y: mm(zero - nameHeight(trace, { speed, gain })) };
  return drawn("g", { "data-lead": name }, [
    drawn("path", { class: "column", d: `M${mm(x0)} ${mm(zero - 3)}v6` }),
    drawn("path", { class: "band", d: band(trace, at) }),
    drawn("text", label, leadName(name)),
  ]);
}

const pulse = (zero, { speed, gain }) =>
  drawn("path", {
    class: "pulse",
    d: `M${LEFT_MM - 2 - PULSE_S * speed} ${mm(zero)}v${-gain}h${PULSE_S * speed}v${gain}`,
  });

function lines(width, height, step, skip = 0) {
  const path = [];
  for (let k = 0; k * step <= width; k += 1) if (!skip || k % skip) path.push(`M${k * step} 0V${height}`);
  for (let k = 0; k * step <= height; k += 1) if (!skip || k % skip) path.push(`M0 ${k * step}H${width}`);
  return path.join("");
}

export const grid = (width, height) => [
  drawn("path", { class: "fine", d: lines(width, height, 1, LARGE_MM) }),
  drawn("path", { class: "coarse", d: lines(width, height, LARGE_MM) }),
];

const end = ({ start_s, trace }) => start_s + trace.signal_mv.length / trace.rate_hz;

// `scale`: { speed in mm/s, gain in mm/mV }. Gives the group, its size in mm, and what a millimetre on it means.
export function curveSheet({ leads }, scale = { speed: MM_PER_S, gain: MM_PER_MV }, rows_mm) {
  const { rows, height } = placed(leads, scale, rows_mm);
  const seconds = Math.max(...rows.flatMap(({ row }) => row.map(end)));
  const width = toLarge(LEFT_MM + seconds * scale.speed + EDGE_MM);
  const curves = rows.flatMap(({ row, zero }) => [pulse(zero, scale), ...row.map((one) => lead(one, zero, scale))]);
  const group = drawn("g", {}, [
    drawn("rect", { class: "sheet", width, height }),
    ...grid(width, height),
    ...curves,
  ]);
  return { group, width, height, ...scale };
}
