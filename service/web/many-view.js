// The section of many pages: progress, stop and go on, filter, export, and the way from page to page.

import { button, byId, element, scrolling } from "./elements.js";
import { download } from "./keep.js";
import { asCsv, asJson } from "./many-export.js";
import { ManyTable } from "./many-table.js";
import { Many } from "./many.js";
import { text } from "./texts.js";

const KINDS = ["all", "infarction", "abnormal", "unsure", "normal", "failed", "waiting"];

export class ManyView {
  #many;
  #table;
  #opened = null;
  #shown; // what happens with an entry that is opened, or with the table
  #parts = {};
  #leftOut = 0;

  // `open` shows an entry, `list` the table again, `beside` two entries; `modelOf` says which model answers.
  constructor({ modelOf, open, list, beside }) {
    this.#shown = { open, list, beside };
    this.#many = new Many(modelOf, (entry) => this.#update(entry));
  }

  get entries() {
    return this.#many.entries;
  }

  add({ pages, leftOut }) {
    if (!this.#table) this.#build();
    this.#leftOut += leftOut;
    this.list();
    this.#many.add(pages);
    for (const entry of this.entries) this.#table.update(entry);
  }

  list() {
    this.#opened = null;
    this.#tell();
    this.#shown.list();
  }

  // Built anew in another language.
  translate() {
    if (!this.#table) return;
    this.#build();
    for (const entry of this.entries) this.#table.update(entry);
    this.#tell();
  }

  open(entry) {
    this.#opened = entry;
    this.#tell();
    this.#shown.open(entry);
  }

  // The page before or after in the table as it is sorted and filtered.
  step(by) {
    const ready = this.#table.visible.filter(({ answer, problem }) => answer || problem);
    const next = ready[ready.indexOf(this.#opened) + by];
    if (next) this.open(next);
  }

  #build() {
    this.#table = new ManyTable({
      open: (entry) => this.open(entry),
      choose: (chosen) => (this.#parts.beside.disabled = chosen.length < 2),
    });
    const named = (name, listener, attributes) =>
      (this.#parts[name] = button(text(`many.do.${name}`), listener, attributes));
    const kinds = KINDS.map((kind) => element("option", text(`many.kind.${kind}`), { value: kind }));
    const kind = element("select", kinds, { "aria-label": text("many.kind"), id: "many-kind" });
    const find = { placeholder: text("many.words"), "aria-label": text("many.words") };
    const words = element("input", [], { type: "search", id: "many-words", ...find });
    const filter = () => this.#table.filter(kind.value, words.value);
    kind.addEventListener("change", filter);
    words.addEventListener("input", filter);
    this.#parts.bar = element("progress", [], { "aria-label": text("progress") });
    this.#parts.told = element("p", "", { role: "status", id: "many-told" });
    const row = (...content) => element("div", content, { class: "row" });
    this.#parts.table = element("div", [
      row(this.#parts.bar, named("stop", () => this.#stopOrGoOn()), named("again", () => this.#many.again())),
      row(
        kind,
        words,
        named("beside", () => this.#shown.beside(this.#table.chosen), { disabled: "" }),
        named("csv", () => download("ecg-answers.csv", asCsv(this.#table.visible), "text/csv")),
        named("json", () => download("ecg-answers.json", asJson(this.#table.visible), "application/json")),
      ),
      scrolling(this.#table.element, text("many.caption")),
    ], { id: "many-list" });
    this.#parts.way = row(
      named("list", () => this.list()),
      named("before", () => this.step(-1)),
      named("after", () => this.step(1)),
    );
    byId("many").replaceChildren(
      element("h2", text("many.title")),
      this.#parts.told,
      this.#parts.way,
      this.#parts.table,
    );
    byId("many").hidden = false;
  }

  #stopOrGoOn() {
    if (this.#many.running) this.#many.stop();
    else this.#many.start();
  }

  #update(entry) {
    if (entry) this.#table.update(entry);
    this.#tell();
  }

  #tell() {
    const count = (state) => this.#many.count(state);
    const all = this.entries.length;
    const [answered, failed] = [count("answered"), count("failed")];
    const counts = { all, answered, failed, waiting: all - answered - failed };
    const { bar, told, stop, again, way } = this.#parts;
    bar.max = all || 1;
    bar.value = counts.answered + counts.failed;
    stop.hidden = counts.waiting === 0;
    stop.textContent = text(this.#many.running ? "many.do.stop" : "many.do.go_on");
    again.hidden = this.#many.running || counts.failed === 0;
    way.hidden = this.#opened === null;
    const words = this.#opened
      ? text("many.opened", { name: this.#opened.name, at: this.#table.visible.indexOf(this.#opened) + 1, all })
      : text("many.counts", counts) + (this.#leftOut ? ` ${text("many.left_out", { count: this.#leftOut })}` : "");
    if (told.textContent !== words) told.textContent = words;
  }
}
