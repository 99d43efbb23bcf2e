// A part of the page that opens and closes, and is drawn when it is first open.

import { element } from "./elements.js";

export class Section {
  #details;
  #draw;
  #content = null;

  constructor(details, draw) {
    this.#details = details;
    this.#draw = draw;
    details.addEventListener("toggle", () => this.#update());
  }

  show(content) {
    this.#content = content;
    this.#body.replaceChildren();
    this.#update();
  }

  open() {
    this.#details.open = true;
    this.#update();
  }

  get #body() {
    return this.#details.querySelector(".body");
  }

  #update() {
    if (!this.#details.open || !this.#content) return;
    const content = this.#content;
    this.#content = null; // Drawn once.
    this.#body.replaceChildren(...[this.#draw(content)].flat());
  }
}

export const waiting = () => element("p", "The pictures are on their way…", { class: "quiet" });
