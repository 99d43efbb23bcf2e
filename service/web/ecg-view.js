// The ECG of one page: curves or the original, with zoom, pan, calipers, speed and gain.

import { Calipers } from "./calipers.js";
import { button, drawn, element } from "./elements.js";
import { pageSheet } from "./page-sheet.js";
import { MM_PER_MV, MM_PER_S, USUAL, curveSheet } from "./sheet.js";
import { text } from "./texts.js";
import { Viewport } from "./viewport.js";

const NARROW_PX = 480;
const SPEEDS = [MM_PER_S, 50];
const GAINS = [5, MM_PER_MV, 20];

function select(label, unit, values, value, listener) {
  const options = values.map((one) => element("option", `${one} ${unit}`, { value: one }));
  const made = element("select", options, { "aria-label": label });
  made.value = value;
  made.addEventListener("change", () => listener(Number(made.value)));
  return made;
}

export class EcgView {
  #reading;
  #address;
  #svg = drawn("svg", { class: "ecg-svg", role: "img" });
  #said = element("output", "", { class: "reads" });
  #frame;
  #viewport;
  #calipers;
  #scale = USUAL;
  #original = false;
  #buttons = {};
  #scales;
  #linked = null;
  #following = false;
  element;

  // `address`: the file as the browser can show it, or null. `title` tells two ECGs apart.
  constructor(reading, address, title = text("ecg.title")) {
    this.#reading = reading;
    this.#address = address;
    this.#viewport = new Viewport(this.#svg, {
      drags: () => !this.#calipers.active,
      moved: () => this.#moved(),
    });
    this.#calipers = new Calipers(this.#svg, this.#viewport, (words) => (this.#said.textContent = words));
    const keys = element("p", text("ecg.keys"), { class: "keys quiet" });
    this.#frame = element("div", this.#svg, {
      class: "ecg-frame",
      tabindex: 0,
      role: "group",
      "aria-label": text("ecg.frame", { title }),
    });
    this.element = element("section", [this.#toolbar(), this.#frame, keys], { class: "ecg", "aria-label": title });
    this.element.addEventListener("keydown", (event) => this.#key(event));
  }

  // From now on both move, and are drawn, alike.
  link(other) {
    this.#linked = other;
    other.#linked = this;
  }

  #moved() {
    this.#calipers?.draw();
    const other = this.#linked;
    if (!other || this.#following) return;
    other.#following = true;
    other.#viewport.follow(this.#viewport);
    other.#following = false;
  }

  #toolbar() {
    const named = (name, listener, pressed) => {
      const attributes = pressed === undefined ? {} : { "aria-pressed": pressed };
      return (this.#buttons[name] = button(text(`ecg.${name}`), listener, { "data-tool": name, ...attributes }));
    };
    const scales = [
      select(text("ecg.speed"), "mm/s", SPEEDS, this.#scale.speed, (speed) => this.#rescale({ speed })),
      select(text("ecg.gain"), "mm/mV", GAINS, this.#scale.gain, (gain) => this.#rescale({ gain })),
    ];
    const parts = [
      named("original", () => this.toggleOriginal(), false),
      named("boxes", () => this.#toggleBoxes(), true),
      named("calipers", () => this.#toggleCalipers(), false),
      named("marks", () => this.#toggleMarks(), true),
      ...scales,
      button("−", () => this.#viewport.zoom(0.8), { "aria-label": text("ecg.out") }),
      button("+", () => this.#viewport.zoom(1.25), { "aria-label": text("ecg.in") }),
      named("fit", () => this.#viewport.fit()),
      this.#said,
    ];
    this.#scales = scales;
    return element("div", parts, { class: "tools", role: "toolbar", "aria-label": text("ecg.tools") });
  }

  #rescale(change) {
    this.#scale = { ...this.#scale, ...change };
    this.draw();
  }

  toggleOriginal() {
    if (!this.#reading.page) return;
    this.#original = !this.#original;
    this.draw();
  }

  #toggleBoxes() {
    const shown = this.#buttons.boxes.getAttribute("aria-pressed") !== "true";
    this.#buttons.boxes.setAttribute("aria-pressed", shown);
    this.#svg.classList.toggle("no-frames", !shown);
  }

  #toggleMarks() {
    const shown = this.#buttons.marks.getAttribute("aria-pressed") !== "true";
    this.#buttons.marks.setAttribute("aria-pressed", shown);
    this.#svg.classList.toggle("no-marks", !shown);
  }

  #toggleCalipers() {
    this.#calipers.toggle(!this.#calipers.active);
    this.#buttons.calipers.setAttribute("aria-pressed", this.#calipers.active);
    this.#svg.classList.toggle("measuring", this.#calipers.active);
  }

  // Again whenever the element stands elsewhere: its rows fill the room that they have.
  draw() {
    const sheet = this.#original
      ? pageSheet(this.#reading, this.#address)
      : curveSheet(this.#reading, this.#scale, {
          tall_mm: this.#room(),
          like: this.#linked?.#reading.leads,
        });
    this.#buttons.original.setAttribute("aria-pressed", this.#original);
    this.#buttons.original.hidden = !this.#reading.page;
    this.#buttons.boxes.hidden = !this.#original || Boolean(this.#reading.scale);
    this.#buttons.marks.hidden = this.#original;
    this.#scales.forEach((one) => (one.disabled = this.#original));
    this.#svg.setAttribute("aria-label", text(this.#original ? "ecg.original.label" : "ecg.curves.label"));
    this.#svg.replaceChildren(sheet.group, this.#calipers.group);
    this.#viewport.show(sheet);
    this.#calipers.reset(sheet);
    if (this.#calipers.active) this.#calipers.toggle(true);
  }

  // The frame's height in mm where the whole width is shown; 0 where only a part of it is.
  #room() {
    const { width, height } = this.#frame.getBoundingClientRect();
    const whole = curveSheet(this.#reading, this.#scale).width;
    return width > NARROW_PX ? (height / width) * whole : 0;
  }

  // Keys work while the focus is on the ECG or its tools; fields keep theirs.
  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("select, input")) return;
    const keys = {
      o: () => this.toggleOriginal(),
      b: () => this.#toggleBoxes(),
      c: () => this.#toggleCalipers(),
      m: () => this.#toggleMarks(),
    };
    const onFrame = event.target === this.#frame;
    if (keys[event.key]) keys[event.key]();
    else if (!onFrame || !(this.#calipers.key(event) || this.#viewport.key(event))) return;
    event.preventDefault();
  }
}
