// Calipers: two ends on a sheet, and the time, rate and voltage between them.

import { drawn } from "./elements.js";
import { text } from "./texts.js";
import { number } from "./words.js";

const GRAB_PX = 16;
const LABEL_PX = 14;
const LABEL_WIDTH_PX = 200;
const GAP_PX = 6;
const BEGIN_S = 0.2;
const FINE_MM = 0.1;
const COARSE_MM = 1;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

// Milliseconds and millivolt between two places on a sheet; the second above the first is positive.
export function between(one, other, { speed, gain }) {
  return { ms: (Math.abs(other.x - one.x) / speed) * 1000, mv: (one.y - other.y) / gain };
}

export function inWords({ ms, mv }) {
  const rate = ms >= 100 ? [text("calipers.rate", { rate: number(60_000 / ms, 0) })] : [];
  return [`${number(ms, 0)} ms`, ...rate, `${number(mv, 2)} mV`].join(" · ");
}

export class Calipers {
  #group = drawn("g", { class: "calipers" });
  #viewport;
  #scale;
  #say;
  #ends = null; // Two places in mm; the second one moves.
  #held = null;
  active = false;

  constructor(svg, viewport, say) {
    this.#viewport = viewport;
    this.#say = say;
    svg.addEventListener("pointerdown", (event) => this.#down(svg, event));
    svg.addEventListener("pointermove", (event) => this.#move(event));
    for (const end of ["pointerup", "pointercancel"]) svg.addEventListener(end, () => (this.#held = null));
  }

  get group() {
    return this.#group;
  }

  // Another sheet or scale: places on it mean something else.
  reset(scale) {
    this.#scale = scale;
    this.#ends = null;
    this.draw();
  }

  toggle(active) {
    this.active = active;
    if (active && !this.#ends) this.#begin();
    this.draw();
  }

  // Without a pointer they begin in the middle of what is seen: 200 ms, 1 mV.
  #begin() {
    const { x, y, width, height } = this.#viewport.seen;
    const from = { x: Math.round(x + width / 2), y: Math.round(y + height / 2) };
    this.#ends = [from, { x: from.x + this.#scale.speed * BEGIN_S, y: from.y - this.#scale.gain }];
  }

  key({ key, shiftKey }) {
    if (!this.active || !this.#ends) return false;
    if (key === "x") this.#ends.reverse();
    else if (key in ARROWS) {
      const step = shiftKey ? COARSE_MM : FINE_MM;
      this.#ends[1] = { x: this.#ends[1].x + ARROWS[key][0] * step, y: this.#ends[1].y + ARROWS[key][1] * step };
    } else return false;
    this.draw();
    return true;
  }

  #down(svg, event) {
    if (!this.active || event.button > 0 || !event.isPrimary) return;
    const place = this.#viewport.at(event);
    const near = (end) => Math.hypot(end.x - place.x, end.y - place.y) * this.#viewport.scale < GRAB_PX;
    const at = this.#ends?.findIndex(near) ?? -1;
    if (at === 0) this.#ends.reverse();
    if (at < 0) this.#ends = [place, place];
    this.#held = event.pointerId;
    svg.setPointerCapture(event.pointerId);
    this.draw();
  }

  #move(event) {
    if (event.pointerId !== this.#held) return;
    this.#ends[1] = this.#viewport.at(event);
    this.draw();
  }

  draw() {
    this.#group.replaceChildren();
    if (!this.active || !this.#ends) return this.#say("");
    const [one, other] = this.#ends;
    const { x, y, width, height } = this.#viewport.seen;
    const px = 1 / this.#viewport.scale;
    const words = inWords(between(one, other, this.#scale));
    const right = Math.max(one.x, other.x);
    const top = Math.min(one.y, other.y);
    const across = Math.abs(one.x - other.x);
    const inside = right + LABEL_WIDTH_PX * px < x + width;
    const label = {
      x: right + (inside ? GAP_PX : -GAP_PX) * px,
      y: Math.max(y + (LABEL_PX + GAP_PX) * px, top - GAP_PX * px),
      "text-anchor": inside ? "start" : "end",
    };
    this.#group.append(
      drawn("path", { class: "span", d: `M${one.x} ${y}v${height}M${other.x} ${y}v${height}` }),
      drawn("path", { class: "level", d: `M${x} ${one.y}h${width}M${x} ${other.y}h${width}` }),
      drawn("rect", { class: "between", x: right - across, y: top, width: across, height: Math.abs(one.y - other.y) }),
      drawn("circle", { class: "end", cx: one.x, cy: one.y, r: 4 * px }),
      drawn("circle", { class: "end moving", cx: other.x, cy: other.y, r: 6 * px }),
      drawn("text", { class: "reads", ...label, "font-size": LABEL_PX * px }, words),
    );
    this.#say(words);
  }
}
