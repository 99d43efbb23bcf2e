// The curves of a recording or of another cart's page, as a reading of our own cart's page has them.

import { decoded } from "./picture.js";
import { send } from "./service.js";

const STRIP = "rhythm_strip";
const MOST_HZ = 250; // As fine as a screen shows.
const PX_PER_S = 100; // Of a sheet that nobody printed; a row is as high.
const SAME_START_S = 0.5;
const LONG = 1.5; // Times the shortest lead: it goes on as a rhythm strip.

const duration = ({ signal_mv }, rate_hz) => signal_mv.length / rate_hz;

// Twelve leads of 2.5 s and one of 10 s: the long one stands among the others as long as they do, and below them whole.
function printed(leads, rate_hz) {
  const shortest = Math.min(...leads.map((one) => duration(one, rate_hz)));
  const long = leads.filter((one) => duration(one, rate_hz) > LONG * shortest);
  const cut = ({ signal_mv }) => signal_mv.slice(0, Math.round(shortest * rate_hz));
  const among = leads.map((one) => (long.includes(one) ? { ...one, signal_mv: cut(one) } : one));
  return [...among, ...long.slice(0, 1).map((one) => ({ ...one, lead: STRIP }))];
}

// Leads that start together stand below one another.
function rowsOf(leads) {
  const starts = [];
  return leads.map(({ lead, start_s }) => {
    if (lead === STRIP) return Math.max(...starts.map(({ count }) => count));
    let column = starts.find(({ at }) => Math.abs(at - start_s) < SAME_START_S);
    if (!column) starts.push((column = { at: start_s, count: 0 }));
    return column.count++;
  });
}

function leadOf({ lead, start_s, signal_mv }, row, rate_hz, every) {
  const shown = signal_mv.filter((_, at) => at % every === 0);
  const width = duration({ signal_mv }, rate_hz) * PX_PER_S;
  const box = { left_px: start_s * PX_PER_S, top_px: row * PX_PER_S, width_px: width, height_px: PX_PER_S };
  const curve = { signal_mv: shown, top_mv: shown, bottom_mv: shown };
  const place = { start_px: 0, zero_px: PX_PER_S / 2, px_per_mv: PX_PER_S / 4 };
  return { lead, box, trace: { ...curve, ...place, rate_hz: rate_hz / every, step_px: (PX_PER_S * every) / rate_hz } };
}

// `scale`: pixels of the picture in a millimetre, and what a millimetre means; null for a recording.
export function drawable({ rate_hz, leads, page }) {
  const shown = printed(leads.filter(({ signal_mv }) => signal_mv.length), rate_hz);
  const rows = rowsOf(shown);
  const every = Math.max(1, Math.round(rate_hz / MOST_HZ));
  const scale = page && {
    across: page.scale.px_per_mm_across,
    down: page.scale.px_per_mm_down,
    speed: page.scale.speed_mm_s,
    gain: page.scale.gain_mm_mv,
  };
  return { leads: shown.map((one, at) => leadOf(one, rows[at], rate_hz, every)), scale };
}

// Whether it is drawn from its signals: it has no place on our cart's form.
export const hasSignalsOnly = (answer) => Boolean(answer) && !answer.placement;

export async function readSignals(file, signal) {
  const { ok, content } = await send("digitize", file, {}, { signal });
  if (!ok) return { ok, content };
  const reading = drawable(content);
  const picture = content.page ? await decoded(file) : null;
  if (picture) reading.page = { width_px: picture.width, height_px: picture.height };
  return { ok, content: reading, picture };
}
