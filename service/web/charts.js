// Charts of figures, each with its numbers as a table.

import { drawn, element, table } from "./elements.js";
import { capital, number } from "./words.js";

const WIDTH = 420;
const HEIGHT = 260;
const LEFT = 56;
const RIGHT = 12;
const TOP = 14;
const BOTTOM = 48;

const scale =
  ([from, to], start, end) =>
  (value) =>
    start + ((value - from) / (to - from)) * (end - start);
const text = (x, y, words, anchor) => drawn("text", { x, y, "text-anchor": anchor }, words);
const line = (x1, y1, x2, y2, kind) => drawn("line", { x1, y1, x2, y2, class: kind });

// Few round steps over a range.
function steps([from, to]) {
  const raw = (to - from) / 4;
  const size = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((times) => times * size).find((one) => one >= raw);
  const marks = [];
  for (let at = Math.ceil(from / step) * step; at <= to + step / 1000; at += step) marks.push(Number(at.toFixed(6)));
  return marks;
}

function frame(label, [xs, ys], [xName, yName], draw) {
  const x = scale(xs, LEFT, WIDTH - RIGHT);
  const y = scale(ys, HEIGHT - BOTTOM, TOP);
  const parts = [
    ...steps(ys).flatMap((mark) => [
      line(LEFT, y(mark), WIDTH - RIGHT, y(mark), "rule"),
      text(LEFT - 8, y(mark) + 4, String(mark), "end"),
    ]),
    ...steps(xs).map((mark) => text(x(mark), HEIGHT - BOTTOM + 18, String(mark), "middle")),
    text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, xName, "middle"),
    drawn(
      "text",
      { transform: `translate(14 ${(HEIGHT - BOTTOM + TOP) / 2}) rotate(-90)`, "text-anchor": "middle" },
      yName,
    ),
    ...draw(x, y),
  ];
  return drawn("svg", { class: "plot", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label }, parts);
}

export function figure(title, chart, numbers) {
  const more = element("details", [element("summary", "Numbers"), numbers], { class: "numbers-of" });
  return element("figure", [element("figcaption", title), chart, more], { class: "plotted" });
}

// `kinds`: [{ name, mark, lines: [[value for each x]] }]; told apart by dashes as well as by colour.
export function curves(title, kinds, [xName, yName], ceiling) {
  const length = Math.max(...kinds.flatMap(({ lines }) => lines.map((values) => values.length)));
  const highest = ceiling ?? Math.max(...kinds.flatMap(({ lines }) => lines.flat()));
  const chart = frame(
    title,
    [
      [1, Math.max(2, length)],
      [0, highest],
    ],
    [xName, yName],
    (x, y) =>
      kinds.flatMap(({ mark, lines }) =>
        lines.map((values) => {
          const points = values.map((value, at) => `${x(at + 1).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
          return drawn("polyline", { class: `line ${mark}${lines.length > 1 ? " many" : ""}`, points });
        }),
      ),
  );
  const legend = element(
    "p",
    kinds.map(({ name, mark }) => element("span", name, { class: `key ${mark}` })),
    { class: "legend" },
  );
  const rows = Array.from({ length }, (_, at) => [String(at + 1), ...kinds.map(({ lines }) => spread(lines, at))]);
  const numbers = table(title, [xName, ...kinds.map(({ name }) => capital(name))], rows, { class: "numbers" });
  return figure(title, element("div", [chart, legend]), numbers);
}

// Of several lines the mean, and from where to where they lie.
function spread(lines, at) {
  const values = lines.filter((line) => at in line).map((line) => line[at]);
  if (!values.length) return "–";
  const mean = number(values.reduce((sum, value) => sum + value, 0) / values.length, 3);
  return values.length === 1
    ? mean
    : `${mean} (${number(Math.min(...values), 3)} to ${number(Math.max(...values), 3)})`;
}

const within = (pair) => (pair ? pair.map((end) => number(end, 3)).join(" to ") : "not given");

export function losses(title, rows) {
  const cells = rows.map(({ name, value, ci95 }) => [name, number(value, 3), within(ci95)]);
  return element(
    "figure",
    [element("figcaption", title), table(title, ["Figure", "Value", "95% interval"], cells, { class: "numbers" })],
    { class: "plotted" },
  );
}

// A title promises no interval that is not there.
const withIntervals = (title, rows, key = "ci95") => {
  const known = rows.filter((row) => row[key]).length;
  if (!known) return title;
  return `${title}, with 95% intervals${known < rows.length ? " where they are known" : ""}`;
};

// `bins`: [{ pages, probability, accuracy, accuracy_ci95 }].
export function reliability(name, bins) {
  const title = withIntervals(name, bins, "accuracy_ci95");
  const axes = ["Probability that was given", "Share that was right"];
  const chart = frame(
    title,
    [
      [0, 1],
      [0, 1],
    ],
    axes,
    (x, y) => [
      line(x(0), y(0), x(1), y(1), "ideal"),
      ...bins
        .filter(({ accuracy_ci95 }) => accuracy_ci95)
        .map(({ probability, accuracy_ci95: [low, high] }) =>
          line(x(probability), y(low), x(probability), y(high), "whisker"),
        ),
      ...bins.map(({ pages, probability, accuracy }) =>
        drawn("circle", { class: "dot", cx: x(probability), cy: y(accuracy), r: 2.5 + 1.5 * Math.log10(pages + 1) }),
      ),
    ],
  );
  const rows = bins.map(({ pages, probability, accuracy, accuracy_ci95 }) => [
    number(probability, 3),
    number(accuracy, 3),
    within(accuracy_ci95),
    String(pages),
  ]);
  return figure(title, chart, table(title, [...axes, "95% interval", "Pages"], rows, { class: "numbers" }));
}

// `rows`: [{ name, value, ci95 }], each from 0 to 1.
export function intervals(heading, rows) {
  const title = withIntervals(heading, rows);
  const height = rows.length * 34 + 34;
  const [from, to] = [150, 360];
  const x = scale([0, 1], from, to);
  const parts = rows.flatMap(({ name, value, ci95 }, at) => {
    const y = at * 34 + 20;
    const [low, high] = ci95 ?? [value, value];
    return [
      text(from - 10, y + 4, name, "end"),
      line(from, y, to, y, "rule"),
      line(x(low), y, x(high), y, "whisker"),
      drawn("circle", { class: "dot", cx: x(value), cy: y, r: 4.5 }),
      text(to + 10, y + 4, number(value, 3), "start"),
    ];
  });
  const marks = [0, 0.5, 1].map((mark) => text(x(mark), height - 8, String(mark), "middle"));
  const svg = drawn("svg", { class: "plot", viewBox: `0 0 ${WIDTH} ${height}`, role: "img", "aria-label": title }, [
    ...parts,
    ...marks,
  ]);
  const cells = rows.map(({ name, value, ci95 }) => [name, number(value, 3), within(ci95)]);
  return figure(title, svg, table(title, ["Figure", "Value", "95% interval"], cells, { class: "numbers" }));
}

export function confusion(title, matrix, names) {
  const rows = matrix.map((counts, at) => {
    const all = counts.reduce((sum, count) => sum + count, 0);
    return [names[at], ...counts.map((count) => heat(String(count), all ? count / all : 0))];
  });
  return element(
    "figure",
    [
      element("figcaption", `${title}: pages of each true class (rows) by the class that was answered (columns)`),
      table(title, ["True class", ...names], rows, { class: "heat confusion" }),
    ],
    { class: "plotted" },
  );
}

function heat(words, value) {
  const made = element("span", words, { class: "cell" });
  made.style.setProperty("--share", value);
  return made;
}
