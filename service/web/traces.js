// Leads as curves: what the preprocessing took for ink, and the curve it read in it, in millivolt over seconds.

import { drawn, element } from "./elements.js";
import { figureOfLead } from "./page-view.js";
import { dataAddress } from "./picture.js";
import { leadName, number } from "./words.js";

// Paper at 10 mm/mV: a small square is 1 mm, 0.1 mV, a large one 5 mm.
const SMALL_PER_MV = 10;
const LARGE_PER_MV = 2;
// Rows and columns of a reading count from the centre of the first pixel, those of a drawing from its corner.
const CENTRE_PX = 0.5;
const MARGIN_PX = { left: 76, bottom: 44, top: 8, right: 24 };
const LONG_MARGIN_PX = { left: 116, bottom: 52, top: 8, right: 32 };
const LONG_S = 5;

function lines(from, to, step, write) {
  const path = [];
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) path.push(write(at.toFixed(1)));
  return path.join("");
}

function grid(width, height, zero, px_per_mv, perMv) {
  const step = px_per_mv / perMv;
  const across = lines(-zero, height - zero, step, (y) => `M0 ${(Number(y) + zero).toFixed(1)}H${width}`);
  return across + lines(0, width, step, (x) => `M${x} 0V${height}`);
}

function ticks({ width, height, zero, px_per_mv, px_per_s }) {
  const labels = [];
  const top = Math.floor(zero / px_per_mv);
  for (let mv = top; mv >= (zero - height) / px_per_mv; mv -= 1) {
    const text = mv === top ? `${mv} mV` : String(mv).replace("-", "−");
    labels.push(drawn("text", { x: -8, y: zero - mv * px_per_mv + 6, "text-anchor": "end" }, text));
  }
  const step_s = width > LONG_S * px_per_s ? 1 : 0.5;
  for (let s = 0; s * px_per_s <= width; s += step_s) {
    const place = { x: s * px_per_s, y: height + 34, "text-anchor": s === 0 ? "start" : "middle" };
    labels.push(drawn("text", place, s === 0 ? "0 s" : String(s)));
  }
  return labels;
}

const points = (values, { start_px, step_px, px_per_mv }, zero) =>
  values
    .map((mv, at) => `${(start_px + CENTRE_PX + at * step_px).toFixed(1)},${(zero - mv * px_per_mv).toFixed(1)}`)
    .join(" ");

function describe({ lead, trace }) {
  const low = number(Math.min(...trace.signal_mv), 2);
  const high = number(Math.max(...trace.signal_mv), 2);
  return `Lead ${leadName(lead)}: curve between ${low} and ${high} mV`;
}

// `behind`: what is drawn between paper and curve, given the chart's measures.
export function leadChart(one, behind) {
  const { box, trace } = one;
  const { width_px: width, height_px: height } = box;
  const { px_per_mv, step_px, rate_hz } = trace;
  const zero = trace.zero_px + CENTRE_PX;
  const measures = { width, height, zero, px_per_mv, px_per_s: step_px * rate_hz };
  const { left, top, right, bottom } = width > LONG_S * measures.px_per_s ? LONG_MARGIN_PX : MARGIN_PX;
  const parts = [
    drawn("path", { class: "fine", d: grid(width, height, zero, px_per_mv, SMALL_PER_MV) }),
    drawn("path", { class: "coarse", d: grid(width, height, zero, px_per_mv, LARGE_PER_MV) }),
    ...behind(measures),
    drawn("polyline", { class: "curve", points: points(trace.signal_mv, trace, zero) }),
    ...ticks(measures),
  ];
  const viewBox = `${-left} ${-top} ${width + left + right} ${height + top + bottom}`;
  return drawn("svg", { class: "chart paper", viewBox, role: "img", "aria-label": describe(one) }, parts);
}

function mask({ mask: image }) {
  return ({ width, height }) => [drawn("image", { class: "mask", href: dataAddress(image), width, height })];
}

export function preprocessedLeads({ reading }) {
  const figures = reading.leads.map((one) => figureOfLead(one.lead, leadChart(one, mask(one)), "mV over s"));
  const words = "Gray: the ink that was found. Red: the curve that was read in it. Small squares: 0.04 s by 0.1 mV.";
  return [element("p", words), element("div", figures, { class: "lead-grid" })];
}
