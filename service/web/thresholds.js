// What a model's thresholds are worth, in words.
//
// Thresholds look better on the pages they were chosen on than they are. So what they gave on other pages is told first,
// where the model's card has it, and what they gave where they were chosen is always called that.

import { cardOf } from "./service.js";
import { inWords, interval, share } from "./words.js";

const WORSE = "Expect worse on other pages.";

const onOtherPages = ({ card }) => card?.decision_figures?.cross_fitted;
const within = (value, ci95) => share(value) + (ci95 ? ` (95% interval ${interval(ci95)})` : "");
const caught = ({ critical_caught, critical_caught_ci95 }, pages) =>
  `${within(critical_caught, critical_caught_ci95)} of the pages with ${pages} were referred, or named as such.`;

// What became of all pages.
export function thresholdsReached(content) {
  const { decision: policy } = content;
  const fair = onOtherPages(content);
  const { coverage, coverage_ci95, accuracy, accuracy_ci95 } = fair ?? policy;
  const where = fair
    ? "On pages that the networks had not seen and the thresholds were not chosen on"
    : "On the pages that the thresholds were chosen on, which the networks had not seen";
  const rightly = accuracy == null ? "" : `, ${within(accuracy, accuracy_ci95)} of them rightly`;
  const critical = fair ? `There, ${caught(fair, inWords(policy.critical_class))}` : WORSE;
  return `${where}, ${within(coverage, coverage_ci95)} were reported${rightly}. ${critical}`;
}

// From which probability on an answer is flagged for the critical class: a name, and words.
export const flags = (point) =>
  point
    ? [`Watch for ${inWords(point.critical_class)}`, `flagged from ${share(point.threshold)} on.`]
    : ["Thresholds", "this model has none that were measured: it refers every page"];

// What that gave where it was chosen.
export const whereChosen = ({ sensitivity, sensitivity_ci95, flagged }) =>
  `On the pages that it was chosen on, which the networks had not seen, it flagged ${within(sensitivity, sensitivity_ci95)} of the pages with it and ${share(flagged)} of all others. ${WORSE}`;

// And elsewhere; "" where its model does not say, or says so for other thresholds than are used here.
export async function elsewhere({ model, operating_point: point, policy }) {
  if (policy !== "bundle") return "";
  const content = await cardOf(model);
  const fair = content && onOtherPages(content);
  if (!fair || point.target !== content.decision.default_sensitivity) return "";
  return `With thresholds chosen on other pages than they were judged on, ${caught(fair, "it")}`;
}
