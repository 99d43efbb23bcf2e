// A window onto a sheet: zoom and pan by mouse, wheel, touch and keyboard. All places are in millimetres of the sheet.

const CLOSEST = 60; // screen pixels per millimetre
const READABLE = 2; // screen pixels per millimetre
const STEP = 1.25;
const PAN_PX = 60;

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

export class Viewport {
  #svg;
  #size = { width: 1, height: 1 }; // of the sheet, mm
  #pointers = new Map();
  #moved;
  fitted = true;
  scale = 1; // screen pixels per mm
  x = 0;
  y = 0;

  // `drags` says whether a pointer that goes down moves the sheet; `moved` is called after each change.
  constructor(svg, { drags, moved }) {
    this.#svg = svg;
    this.#moved = moved;
    new ResizeObserver(() => (this.fitted ? this.fit() : this.#show())).observe(svg);
    svg.addEventListener("pointerdown", (event) => this.#down(event, drags));
    svg.addEventListener("pointermove", (event) => this.#move(event));
    for (const end of ["pointerup", "pointercancel"]) svg.addEventListener(end, (event) => this.#up(event));
    // With Ctrl, as a pinch on a touchpad sends it, always. The plain wheel only while the ECG has the focus: the page
    // can be scrolled over it.
    svg.addEventListener(
      "wheel",
      (event) => {
        if (!event.ctrlKey && !svg.parentElement.contains(document.activeElement)) return;
        event.preventDefault();
        this.zoom(Math.exp(-clamp(event.deltaY, -100, 100) / 300), this.at(event));
      },
      { passive: false },
    );
  }

  show({ width, height }, keep = false) {
    this.#size = { width, height };
    if (keep) this.#show();
    else this.fit();
  }

  // The whole sheet; on a screen too narrow to read it so, its beginning at full height.
  fit() {
    const { width, height } = this.#screen;
    this.fitted = true;
    const [across, down] = [width / this.#size.width, height / this.#size.height];
    this.scale = across < READABLE ? Math.max(down, READABLE) : Math.min(across, down);
    this.x = this.y = 0;
    this.#show();
  }

  zoom(times, centre = this.#centre) {
    const scale = clamp(this.scale * times, this.#least, CLOSEST);
    const ratio = this.scale / scale;
    this.x = centre.x - (centre.x - this.x) * ratio;
    this.y = centre.y - (centre.y - this.y) * ratio;
    this.scale = scale;
    this.fitted = false;
    this.#show();
  }

  pan(dx_px, dy_px) {
    this.x += dx_px / this.scale;
    this.y += dy_px / this.scale;
    this.fitted = false;
    this.#show();
  }

  // Takes the key, and says whether it had a meaning.
  key({ key }) {
    const pans = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (key in pans) this.pan(pans[key][0] * PAN_PX, pans[key][1] * PAN_PX);
    else if (key === "+" || key === "=") this.zoom(STEP);
    else if (key === "-") this.zoom(1 / STEP);
    else if (key === "0") this.fit();
    else return false;
    return true;
  }

  // What another window onto a like sheet shows.
  follow({ x, y, scale, fitted }) {
    Object.assign(this, { x, y, scale, fitted });
    this.#show();
  }

  // Where on the sheet an event is.
  at({ clientX, clientY }) {
    const { left, top } = this.#svg.getBoundingClientRect();
    return { x: this.x + (clientX - left) / this.scale, y: this.y + (clientY - top) / this.scale };
  }

  get seen() {
    const { width, height } = this.#screen;
    return { x: this.x, y: this.y, width: width / this.scale, height: height / this.scale };
  }

  get #screen() {
    const { width, height } = this.#svg.getBoundingClientRect();
    return { width: width || 1, height: height || 1 };
  }

  get #centre() {
    const { width, height } = this.#screen;
    return { x: this.x + width / 2 / this.scale, y: this.y + height / 2 / this.scale };
  }

  get #least() {
    const { width, height } = this.#screen;
    return Math.min(width / this.#size.width, height / this.#size.height);
  }

  #show() {
    const { width, height } = this.#screen;
    const [across, down] = [width / this.scale, height / this.scale];
    const inside = (at, seen, size) => (seen >= size ? (size - seen) / 2 : clamp(at, 0, size - seen));
    this.x = inside(this.x, across, this.#size.width);
    this.y = Math.max(0, inside(this.y, down, this.#size.height)); // A low sheet stands at the top.
    this.#svg.setAttribute("viewBox", `${this.x} ${this.y} ${across} ${down}`);
    // A finger scrolls the page up and down as long as there is nothing below to pan to.
    this.#svg.classList.toggle("tall", down < this.#size.height - 1);
    this.#moved?.();
  }

  #down(event, drags) {
    const mine = drags(event) || this.#pointers.size > 0;
    if (!mine || event.button > 0) return;
    this.#pointers.set(event.pointerId, event);
    this.#svg.setPointerCapture(event.pointerId);
  }

  #move(event) {
    const before = this.#pointers.get(event.pointerId);
    if (!before) return;
    const others = [...this.#pointers.values()].filter((one) => one.pointerId !== event.pointerId);
    if (others.length) {
      const far = (one) => Math.hypot(one.clientX - others[0].clientX, one.clientY - others[0].clientY);
      this.zoom(far(event) / Math.max(1, far(before)), this.at(others[0]));
    } else this.pan(before.clientX - event.clientX, before.clientY - event.clientY);
    this.#pointers.set(event.pointerId, event);
  }

  #up(event) {
    this.#pointers.delete(event.pointerId);
  }
}
