// Why there is no answer, in the service's words, beside the picture that caused it.

import { definitions, element, icon } from "./elements.js";
import { thumbnail } from "./picture.js";

export const FAULT = {
  code: "page_fault",
  title: "This page failed",
  found: "A fault in the page itself",
  expected: "An answer that it can show",
  remedy: "Reload the page and try again; if it stays, tell the operator.",
  request_id: "unknown",
};

// Not every failure is a refusal.
const UNANSWERED = new Set(["no_answer", FAULT.code]);
const headOf = ({ code }) => (UNANSWERED.has(code) ? "No answer" : "Refused: no class is given");

// `what` failed, where it is not the answer; `beside` stands beside the facts.
export function problemCard(problem, { what = headOf(problem), beside = [] } = {}) {
  const { title, found, expected, remedy, request_id } = problem;
  const facts = definitions([
    ["Found", found],
    ["Expected", expected],
    ["What to do", remedy],
    ["Request", element("code", request_id)],
  ]);
  const text = [element("p", what, { class: "decision" }), element("h3", title)];
  const head = element("div", [icon("refused"), element("div", text)], { class: "banner refused" });
  return element("article", [head, element("div", [...beside, facts], { class: "refusal" })], {
    class: "answer problem",
  });
}

export function pictureOf(file, picture) {
  const content = picture
    ? thumbnail(picture, "The file that was sent")
    : element("p", "This browser cannot show the file either.", { class: "no-picture" });
  const size = picture ? `${picture.width} × ${picture.height} px, ` : "";
  const bytes = `${(file.size / 1e6).toFixed(2)} MB`;
  return element("figure", [content, element("figcaption", `${file.name} (${size}${bytes})`, { class: "quiet" })]);
}
