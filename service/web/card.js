// What one model says about itself: how it learned, what it reached on held-out pages, what it is not for.

import { confusion, curves, intervals, losses, reliability } from "./charts.js";
import { element, scrolling, table } from "./elements.js";
import { problemCard } from "./problem.js";
import { ask } from "./service.js";
import { thresholdsReached } from "./thresholds.js";
import { className, interval, number, share } from "./words.js";

const HEADLINES = [
  ["Accuracy", "accuracy"],
  ["Balanced accuracy", "balanced_accuracy"],
  ["Macro F1", "f1_macro"],
  ["Macro AUROC", "auroc_macro"],
];
const LOSSES = [
  ["Log loss (nats)", "log_loss"],
  ["Brier score", "brier"],
  ["Calibration error (ECE)", "ece"],
];

const list = (title, lines) => [
  element("h4", title),
  element(
    "ul",
    lines.map((line) => element("li", line)),
  ),
];

// A network's curves of one figure, of the pages that it learned from and of those that were held out.
function learned(title, networks, [trained, heldOut], axis, ceiling) {
  const kinds = [
    ["training", trained, "solid"],
    ["validation", heldOut, "dashed"],
  ].map(([name, figure, mark]) => {
    const all = networks.map((epochs) => epochs.map((epoch) => epoch[figure]).filter((value) => value != null));
    return { name, mark, lines: all.filter((values) => values.length) };
  });
  return curves(
    title,
    kinds.filter(({ lines }) => lines.length),
    ["Epoch", axis],
    ceiling,
  );
}

function history({ history: found }) {
  if (!found) return [element("p", "This model does not say how it learned.", { class: "quiet" })];
  const { about, networks } = found;
  return [
    ...(about ? [element("p", about, { class: "quiet" })] : []),
    element(
      "div",
      [
        learned("Accuracy in training and validation", networks, ["accuracy", "val_accuracy"], "Accuracy", 1),
        learned("Loss in training and validation", networks, ["loss", "val_loss"], "Loss (nats)"),
      ],
      { class: "plots" },
    ),
  ];
}

const reached = (figures, keys) =>
  keys
    .filter(([, key]) => typeof figures[key] === "number")
    .map(([name, key]) => ({ name, value: figures[key], ci95: figures[`${key}_ci95`] }));

function recalls({ classes }) {
  return Object.entries(classes)
    .filter(([, { recall }]) => recall != null)
    .map(([name, { recall, recall_ci95 }]) => ({ name: className(name), value: recall, ci95: recall_ci95 }));
}

function figures({ figures: found, class_names }) {
  if (!found) return [];
  const names = class_names.map(className);
  const counted = `Judged on ${found.rows} pages${found.groups ? ` of ${found.groups} records` : ""}. ${found.about.join(" ")}`;
  return [
    element("p", counted, { class: "quiet" }),
    element(
      "div",
      [
        intervals("Figures of the page", reached(found, HEADLINES)),
        intervals("Recall of each class", recalls(found)),
        confusion("Confusion matrix", found.confusion_matrix, names),
        ...(found.reliability ? [reliability("Reliability of the probabilities", found.reliability)] : []),
        ...(found.log_loss == null
          ? []
          : [losses("Errors of the probabilities, lower is better", reached(found, LOSSES))]),
      ],
      { class: "plots" },
    ),
  ];
}

const FAILURES = [
  ["Infarctions reported as normal", (figures) => figures.failures.infarction_reported_as_normal],
  ["Infarctions answered normal, reported or referred", (figures) => figures.failures.infarction_answered_normal],
  ["Healthy reported as abnormal heartbeat", (figures) => figures.failures.healthy_reported_as_abnormal],
  ["Reported answers that are wrong", (figures) => figures.failures.reported_wrong],
  ["Answers reported", (figures) => figures.reported.coverage],
];
const COMPARISONS = [
  ["Normal told from the rest (AUROC)", "normal_against_rest"],
  ["Infarction told from the rest (AUROC)", "infarction_against_rest"],
];

// What it is worth on patients of other hospitals, the failures first.
function otherPatients({ card }) {
  const external = card?.external;
  if (!external) return [element("p", "It was not judged on patients of other hospitals.", { class: "quiet" })];
  const told = COMPARISONS.filter(([, key]) => external.auroc[key]).map(([name, key]) => {
    const { auroc, auroc_ci95, positive, negative } = external.auroc[key].answer;
    return [name, `${positive} and ${negative}`, `${number(auroc, 3)} (${auroc_ci95.map((edge) => number(edge, 3)).join(" to ")})`];
  });
  const { all, patients } = external.recordings;
  const caption = `On ${all} ECGs of ${patients} patients of other hospitals, with 95% intervals`;
  return [table(caption, ["", "ECGs", ""], [...shares(external), ...told]), ...withTheirPolicy(card)];
}

// The same patients by the policy that the model brings for other hospitals.
function withTheirPolicy({ policies = [] }) {
  const policy = policies.find(({ site }) => site === "other hospitals");
  if (!policy) return [];
  const cells = shares(policy.figures.cross_fitted);
  return [table("The same with the policy for other hospitals, which an operator can choose", ["", "ECGs", ""], cells)];
}

function shares(figures) {
  return FAILURES.map(([name, of]) => [name, of(figures)])
    .filter(([, cell]) => cell.share != null)
    .map(([name, cell]) => [name, `${cell.count} of ${cell.of}`, `${share(cell.share)} (${interval(cell.share_ci95)})`]);
}

function decision(content) {
  const { decision: policy } = content;
  if (!policy) return [element("p", "It has no thresholds that were measured, so every page is referred to a person.")];
  const rule = `A page is referred where its most probable class is less probable than ${number(policy.report_from, 4)}, or where something else speaks against the answer.`;
  return [element("p", [rule, " ", thresholdsReached(content)])];
}

function told({ card, text }) {
  const full = text
    ? [element("details", [element("summary", "The whole card"), scrolling(element("pre", text), "The whole card")])]
    : [];
  if (!card) return full;
  return [
    ...list("For", card.intended_use),
    ...list("Not for", card.not_intended),
    ...list("Limits", card.limits),
    ...full,
  ];
}

export function modelCard(ref) {
  const place = element("div", element("p", "The card is on its way…", { class: "quiet" }));
  ask(`models/${ref}/card`).then(({ ok, content }) => {
    const parts = ok
      ? [
          ...otherPatients(content),
          ...decision(content),
          ...history(content),
          ...figures(content),
          ...told(content),
        ]
      : [problemCard(content, { what: "The card cannot be shown" })];
    place.replaceChildren(...parts);
  });
  return place;
}
