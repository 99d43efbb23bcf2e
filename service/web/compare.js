// Two answers to the same page, held against each other.

import { element, table } from "./elements.js";
import { className, leadName, modelName, number, probability } from "./words.js";

const POINTS = 100; // percentage points in a probability of 1

// Percentage points from one probability to the other.
export function change(one, other) {
  const points = Math.round((other - one) * POINTS);
  return `${points > 0 ? "+" : ""}${number(points || 0, 0)}`.replace("-", "−");
}

function verdict([one, other]) {
  return one.predicted_class === other.predicted_class
    ? `Both find ${className(one.predicted_class)} most probable.`
    : `They disagree: ${modelName(one.model)} finds ${className(one.predicted_class)} most probable, ${modelName(other.model)} ${className(other.predicted_class)}.`;
}

function differingLeads([one, other]) {
  const differ = one.leads.filter(({ predicted_class }, at) => predicted_class !== other.leads[at].predicted_class);
  return differ.length
    ? `Their most probable classes differ in ${differ.length} of ${one.leads.length} leads: ${differ.map(({ lead }) => leadName(lead)).join(", ")}.`
    : "Lead by lead, their most probable classes are the same.";
}

export function comparison(answers) {
  const [one, other] = answers;
  const names = Object.keys(one.probabilities).filter((name) => name in other.probabilities);
  const rows = names.map((name) => {
    const pair = [one.probabilities[name], other.probabilities[name]];
    return [className(name), ...pair.map(probability), change(...pair)];
  });
  const heads = ["Class", ...answers.map(({ model }) => modelName(model)), "Difference, points"];
  return [
    element("h3", "The two answers compared"),
    element("p", [verdict(answers), " ", differingLeads(answers)]),
    table("Probability of each class of the page", heads, rows, { class: "numbers" }),
  ];
}
