// Elements built from text: nothing that was received is ever parsed as HTML.

export const byId = (id) => document.getElementById(id);

const SVG = "http://www.w3.org/2000/svg";

function filled(made, content, attributes) {
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...[content].flat());
  return made;
}

export const element = (tag, content = [], attributes = {}) => filled(document.createElement(tag), content, attributes);

export const drawn = (tag, attributes = {}, content = []) =>
  filled(document.createElementNS(SVG, tag), content, attributes);

export function button(text, listener, attributes = {}) {
  const made = element("button", text, { type: "button", ...attributes });
  made.addEventListener("click", listener);
  return made;
}

export const definitions = (entries, attributes = {}) =>
  element(
    "dl",
    entries.map(([term, ...value]) => element("div", [element("dt", term), element("dd", value)])),
    attributes,
  );

// Wide tables scroll by themselves, so that the page never does; what scrolls has to be reachable by keyboard.
export const scrolling = (content, label) =>
  element("div", content, { class: "scroll", tabindex: 0, role: "region", "aria-label": label });

// The first cell of each row is its head.
export function table(caption, heads, rows, attributes = {}) {
  const head = element(
    "tr",
    heads.map((text) => element("th", text, { scope: "col" })),
  );
  const body = rows.map(([first, ...rest]) =>
    element("tr", [element("th", first, { scope: "row" }), ...rest.map((cell) => element("td", cell))]),
  );
  const parts = [element("caption", caption), element("thead", head), element("tbody", body)];
  return scrolling(element("table", parts, attributes), caption);
}

const ICONS = {
  reported: ["M5 2.5h10l4 4v15H5z", "M8.5 10.5h7", "M8.5 14h7", "M8.5 17.5h4"],
  referred: ["M12 3a4 4 0 1 0 0 8 4 4 0 0 0 0-8z", "M4 21c0-4.4 3.6-7.5 8-7.5s8 3.1 8 7.5z"],
  refused: ["M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20z", "M5 5l14 14"],
};

export const icon = (name) =>
  drawn(
    "svg",
    { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true" },
    ICONS[name].map((d) => drawn("path", { d })),
  );
