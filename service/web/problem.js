// Why there is no answer, in the service's words, beside the picture that caused it.

import { definitions, element, icon } from "./elements.js";
import { thumbnail } from "./picture.js";

export const FAULT = {
  code: "page_fault",
  title: "This page failed",
  found: "A fault in the page itself",
  expected: "An answer that it can show",
  remedy: "Reload the page and try again; if it stays, tell whoever runs the service.",
  request_id: "unknown",
};

export function problemCard({ title, found, expected, remedy, request_id }, beside = []) {
  const facts = definitions([
    ["Found", found],
    ["Expected", expected],
    ["What to do", remedy],
    ["Request", element("code", request_id)],
  ]);
  const text = [element("p", "Refused: no class is given", { class: "decision" }), element("h3", title)];
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
