// The table of many pages: it fills while they are read, and can be sorted and filtered.

import { button, element } from "./elements.js";
import { text } from "./texts.js";
import { levelOf, reasonsInWords } from "./verdict.js";
import { className, heartRate, probability, rateOf } from "./words.js";

const THUMBNAIL_PX = 144;
const URGENCY = ["infarction", "abnormal", "unsure", "normal", "failed", "reading", "waiting"];

const kindOf = ({ state, answer }) => (answer ? levelOf(answer) : state);
const chance = ({ answer }) => (answer ? answer.probabilities[answer.predicted_class] : -1);

// What a column is sorted by.
const KEYS = {
  file: ({ name }) => name,
  verdict: (entry) => URGENCY.indexOf(kindOf(entry)),
  class: (entry) => `${entry.answer?.predicted_class ?? "~"} ${1 - chance(entry)}`,
  reasons: ({ answer, problem }) => problem?.code ?? answer?.reasons.map(({ code }) => code).join() ?? "~",
  rate: ({ answer }) => (answer && rateOf(answer).heart_rate_bpm) ?? Infinity,
};
const order = new Intl.Collator(undefined, { numeric: true });
const compare = (one, other) => (typeof one === "number" ? one - other || 0 : order.compare(one, other));

// Decoded small and away from the page's own thread, so that nothing freezes.
async function thumbnail({ file, name }) {
  const canvas = element("canvas", [], { role: "img", "aria-label": text("many.thumbnail", { name }) });
  [canvas.width, canvas.height] = [THUMBNAIL_PX, Math.round(THUMBNAIL_PX / 1.41)];
  const picture = await createImageBitmap(file, { resizeWidth: THUMBNAIL_PX, resizeQuality: "low" }).catch(() => null);
  if (!picture) return "–";
  canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
  picture.close();
  return canvas;
}

// One at a time: fifty decoded at once would hold up everything else.
let last = Promise.resolve();
const queued = (work) => (last = last.then(work, work));

function reasons({ answer, problem }) {
  if (problem) return element("span", [`${problem.title}. ${problem.remedy}`], { lang: "en" });
  return answer ? reasonsInWords(answer).join("; ") : "";
}

function mostProbable({ answer }) {
  return answer ? `${className(answer.predicted_class)}, ${probability(chance({ answer }))}` : "";
}

const chip = (entry) => {
  const kind = kindOf(entry);
  return element("span", text(`many.kind.${kind}`), { class: `chip ${kind}` });
};

export class ManyTable {
  element;
  #rows = new Map(); // by entry
  #body = element("tbody");
  #heads;
  #sorted = { key: "file", down: false };
  #shown = () => true;
  #open;
  #chosen = [];
  #choose;

  // `open` gets the entry to look at; `choose` the two at most that are to be held side by side.
  constructor({ open, choose }) {
    this.#open = open;
    this.#choose = choose;
    this.#heads = Object.keys(KEYS).map((key) => {
      const sort = button(text(`many.${key}`), () => this.#sort(key));
      return element("th", sort, { scope: "col", "data-key": key });
    });
    const plain = (key) => element("th", element("span", text(key), { class: "spoken" }), { scope: "col" });
    const head = element("tr", [plain("many.beside"), plain("many.page"), ...this.#heads, plain("many.open")]);
    const caption = element("caption", text("many.caption"), { class: "spoken" });
    this.element = element("table", [caption, element("thead", head), this.#body], { class: "many" });
    this.#mark();
  }

  get chosen() {
    return this.#chosen;
  }

  // Entries in the order and choice that is seen.
  get visible() {
    return [...this.#rows].filter(([, row]) => !row.hidden).map(([entry]) => entry).sort((a, b) => this.#compare(a, b));
  }

  update(entry) {
    if (!this.#rows.has(entry)) this.#add(entry);
    const cells = this.#rows.get(entry).cells;
    cells[3].replaceChildren(chip(entry));
    cells[4].textContent = mostProbable(entry);
    cells[5].replaceChildren(reasons(entry));
    cells[6].textContent = entry.answer ? heartRate(entry.answer) : "";
    cells[0].firstChild.disabled = !entry.answer;
    cells[7].firstChild.disabled = !entry.answer && !entry.problem;
    this.#rows.get(entry).hidden = !this.#shown(entry);
    if (this.#sorted.key !== "file") this.#arrange();
  }

  // `kind`: "all", or a verdict or state; `words`: a part of the file's name or of what the row says.
  filter(kind, words) {
    const wanted = words.trim().toLowerCase();
    this.#shown = (entry) =>
      (kind === "all" || kindOf(entry) === kind) &&
      (!wanted || `${entry.name} ${this.#rows.get(entry).textContent}`.toLowerCase().includes(wanted));
    for (const [entry, row] of this.#rows) row.hidden = !this.#shown(entry);
  }

  #add(entry) {
    const box = element("input", [], { type: "checkbox", "aria-label": text("many.beside.one", { name: entry.name }) });
    box.addEventListener("change", () => this.#chose(entry, box.checked));
    const open = button(text("many.open"), () => this.#open(entry), {
      "aria-label": text("many.open.one", { name: entry.name }),
    });
    const page = element("td");
    const cells = [element("td", box), page, element("th", entry.name, { scope: "row" })];
    const rest = [0, 1, 2, 3].map(() => element("td"));
    const row = element("tr", [...cells, ...rest, element("td", open)]);
    this.#rows.set(entry, row);
    this.#body.append(row);
    queued(async () => page.replaceChildren(await thumbnail(entry)));
  }

  // A third choice takes the place of the first.
  #chose(entry, chosen) {
    this.#chosen = [...this.#chosen.filter((one) => one !== entry), ...(chosen ? [entry] : [])].slice(-2);
    for (const [one, row] of this.#rows) row.cells[0].firstChild.checked = this.#chosen.includes(one);
    this.#choose(this.#chosen);
  }

  #sort(key) {
    this.#sorted = { key, down: this.#sorted.key === key && !this.#sorted.down };
    this.#mark();
    this.#arrange();
  }

  #mark() {
    const { key, down } = this.#sorted;
    for (const head of this.#heads) {
      if (head.dataset.key === key) head.setAttribute("aria-sort", down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    }
  }

  #compare(one, other) {
    const { key, down } = this.#sorted;
    return (compare(KEYS[key](one), KEYS[key](other)) || one.id - other.id) * (down ? -1 : 1);
  }

  #arrange() {
    const entries = [...this.#rows.keys()].sort((one, other) => this.#compare(one, other));
    const rows = entries.map((entry) => this.#rows.get(entry));
    if (rows.some((row, at) => this.#body.rows[at] !== row)) this.#body.append(...rows);
  }
}
