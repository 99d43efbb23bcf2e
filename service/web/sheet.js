// The leads as on paper: curves in mV on a millimetre grid. A sheet is an SVG group measured in millimetres.

import { drawn } from "./elements.js";
import { MARKS_MM, marks } from "./marks.js";
import { leadName } from "./words.js";

export const MM_PER_S = 25; // of paper, as of the sheet at its usual speed
export const MM_PER_MV = 10;
export const USUAL = { speed: MM_PER_S, gain: MM_PER_MV };

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

const mm = (value) => value.toFixed(2);
const toLarge = (mm) => Math.ceil(mm / LARGE_MM) * LARGE_MM;

// Each row is as high as its curves, so that rows do not run into one another. Zero lines stand on large squares.
// `below_mm`: room below the last row.
function rowHeights(leads, scale, below_mm = 0) {
  return rowsOf(leads).map((row, at, { length }) => {
    const up = row.map(({ trace }) => Math.max(highest(trace) * scale.gain, nameHeight(trace, scale) + NAME_MM));
    const down = row.map(({ trace }) => -lowest(trace) * scale.gain);
    return {
      row,
      up: toLarge(Math.max(scale.gain, ...up) + GAP_MM),
      down: toLarge(Math.max(LARGE_MM, ...down) + GAP_MM + (at === length - 1 ? below_mm : 0)),
    };
  });
}

// Two ECGs side by side have their rows at the same heights.
function alike(rows, others) {
  if (rows.length !== others.length) return rows;
  return rows.map(({ row, up, down }, at) => ({
    row,
    up: Math.max(up, others[at].up),
    down: Math.max(down, others[at].down),
  }));
}

// `like`: leads that stand beside these. `tall_mm`: a height that is there. Rows move apart to fill it; with `squeeze`
// also together, and tall curves may cross.
function placed(leads, scale, { tall_mm = 0, squeeze = false, like = [], below_mm = 0 }) {
  const rows = alike(rowHeights(leads, scale, below_mm), rowHeights(like, scale));
  const needed = rows.reduce((sum, { up, down }) => sum + up + down, 0);
  const spare = tall_mm - needed;
  const closer = squeeze && rows.length > 1 ? spare / (rows.length - 1) : 0;
  const between = spare > 0 ? Math.floor(spare / rows.length / LARGE_MM) * LARGE_MM : closer;
  let at = Math.max(0, between / 2);
  const standing = rows.map(({ row, up, down }) => {
    const zero = at + up;
    at = zero + down + between;
    return { row, zero };
  });
  return { rows: standing, height: squeeze ? tall_mm : Math.max(needed, tall_mm) };
}

// The curve has few samples a second, which cut R peaks; the printed stroke's edges have the peaks' full height.
// So a turning point lies on the stroke's edge.
export function fullHeight({ signal_mv: signal, top_mv: top, bottom_mv: bottom }) {
  return signal.map((mv, k) => {
    if (mv === null) return null;
    const before = signal[k - 1] ?? mv;
    const after = signal[k + 1] ?? mv;
    if (mv > before && mv >= after) return Math.max(mv, top[k]);
    if (mv < before && mv <= after) return Math.min(mv, bottom[k]);
    return mv;
  });
}

// A line through what was read; a gap stays a gap.
function path(values, at) {
  return values.map((mv, k) => (mv === null ? "" : `${(values[k - 1] ?? null) === null ? "M" : "L"}${at(k, mv)}`)).join("");
}

function lead({ lead: name, trace, start_s }, zero, { speed, gain }) {
  const x0 = LEFT_MM + start_s * speed;
  const at = (k, mv) => `${mm(x0 + (k / trace.rate_hz) * speed)} ${mm(zero - mv * gain)}`;
  const label = { class: "name", x: mm(x0 + GAP_MM), y: mm(zero - nameHeight(trace, { speed, gain })) };
  return drawn("g", { "data-lead": name }, [
    drawn("path", { class: "column", d: `M${mm(x0)} ${mm(zero - 3)}v6` }),
    drawn("path", { class: "curve", d: path(fullHeight(trace), at) }),
    drawn("text", label, leadName(name)),
  ]);
}

// The last row shows all ten seconds.
function marksBelow({ row, zero }, measurements, scale) {
  const bottom = Math.max(...row.map(({ trace }) => zero - lowest(trace) * scale.gain));
  return marks(measurements, LEFT_MM, bottom, scale);
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

const grid = (width, height) => [
  drawn("path", { class: "fine", d: lines(width, height, 1, LARGE_MM) }),
  drawn("path", { class: "coarse", d: lines(width, height, LARGE_MM) }),
];

const widthOf = (seconds, { speed }) => toLarge(LEFT_MM + seconds * speed + EDGE_MM);
const end = ({ start_s, trace }) => start_s + trace.signal_mv.length / trace.rate_hz;

// `scale`: { speed in mm/s, gain in mm/mV }. Gives the group, its size in mm, and what a millimetre on it means.
export function curveSheet({ leads, measurements = null }, scale, room = {}) {
  if (!leads.length) throw new Error("A reading without leads cannot be drawn");
  const { rows, height } = placed(leads, scale, { ...room, below_mm: measurements ? MARKS_MM : 0 });
  const seconds = Math.max(...rows.flatMap(({ row }) => row.map(end)));
  const width = widthOf(seconds, scale);
  const curves = rows.flatMap(({ row, zero }) => [pulse(zero, scale), ...row.map((one) => lead(one, zero, scale))]);
  const marked = measurements ? [marksBelow(rows.at(-1), measurements, scale)] : [];
  const parts = [drawn("rect", { class: "sheet", width, height }), ...grid(width, height), ...marked, ...curves];
  const group = drawn("g", {}, parts);
  return { group, width, height, ...scale };
}
