// What an answer rests on and where it comes from: for a second look, so it is closed at first.

import { definitions, element } from "./elements.js";
import { allFindings, readersInWords } from "./findings.js";
import { text } from "./texts.js";
import { elsewhere, flags, whereChosen } from "./thresholds.js";
import { leadName, milliseconds, modelName, modelRef, moment, number, share } from "./words.js";

const note = (words) => element("small", words, { class: "quiet" });

// The service's own words, with its code and its reasons, as a program gets them.
function decided({ decision, reasons }) {
  const lines = reasons.map(({ code, message }) => element("li", [element("code", code), ` ${message}`]));
  return [element("p", text(`decision.${decision}`)), element("ul", lines, { class: "messages", lang: "en" })];
}

function networks(answer) {
  const words = readersInWords(answer);
  return words && definitions(words);
}

function weakest(coverage) {
  const [lead, least] = Object.entries(coverage).sort(([, one], [, other]) => one - other)[0];
  return text("measured.found.in", { percent: share(least), lead: leadName(lead) });
}

function reading({ quality: { einthoven_residual_mv, coverage } }) {
  const off = text("measured.consistency.off", { mv: number(einthoven_residual_mv, 3) });
  return definitions([
    [text("measured.consistency"), `${off} `, note(text("measured.consistency.note"))],
    [text("measured.found"), weakest(coverage)],
  ]);
}

function watch(answer) {
  const { operating_point: point } = answer;
  const [name, words] = flags(point);
  if (!point) return [name, words];
  const judged = note("");
  elsewhere(answer).then((worth) => (judged.textContent = worth));
  return [name, words, judged, note(whereChosen(point))];
}

const SEEN = new Map([
  [true, "yes"],
  [false, "no"],
  [null, "details.unknown"],
]);

// A recording has no picture.
function pageRead({ kind }, image, ms) {
  if (!image) return text("details.recording", { kind, ms });
  return text("details.page.read", { format: image.format, width: image.width_px, height: image.height_px, ms });
}

function origin(answer) {
  const { model, source, image, timings_ms, seen_in_training, request_id } = answer;
  return definitions([
    [text("details.model"), element("a", modelName(model), { href: `#model-${modelRef(model)}` })],
    watch(answer),
    ...(answer.policy === "site" ? [[text("details.thresholds"), text("details.site")]] : []),
    [text("details.training"), text(SEEN.get(seen_in_training))],
    [text("details.page"), pageRead(source, image, milliseconds(timings_ms.total))],
    [text("details.sha"), element("code", source.sha256)],
    [text("details.answered"), moment(new Date())],
    [text("details.request"), element("code", request_id)],
  ]);
}

const part = (title, content) =>
  content ? [element("section", [element("h4", title), ...[content].flat()])] : [];

export function details(answer) {
  const parts = [
    part(text("details.decision"), decided(answer)),
    part(text("details.networks"), networks(answer)),
    part(text("findings.all"), allFindings(answer)),
    part(text("details.reading"), reading(answer)),
    part(text("details.origin"), origin(answer)),
  ];
  return element("details", [element("summary", text("details.title")), ...parts.flat()], { class: "details" });
}
