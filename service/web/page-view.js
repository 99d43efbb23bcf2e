// The page with its thirteen named boxes, and the pieces that they cut from it.

import { drawn, element } from "./elements.js";
import { cropped, dataAddress } from "./picture.js";
import { leadName } from "./words.js";

const STRIP = "rhythm_strip";

function box({ lead, box: { left_px, top_px, width_px, height_px } }, target) {
  const name = leadName(lead);
  const place = { x: left_px, y: top_px, width: width_px, height: height_px };
  const tag = { x: left_px, y: top_px, width: 36 + name.length * 20, height: 50 };
  const label = drawn("text", { x: left_px + 16, y: top_px + 37 }, name);
  const parts = [drawn("rect", { class: "frame", ...place }), drawn("rect", { class: "tag", ...tag }), label];
  return drawn("a", { "data-lead": lead, href: `#${target}-${lead}`, "aria-label": `Lead ${name}` }, parts);
}

// `target`: what a box leads to, by the beginning of its id.
export function pageWithBoxes({ picture, reading }, target, scale = 1) {
  const { page, leads } = reading;
  const whole = { left_px: 0, top_px: 0, ...page };
  const boxes = leads.map((one) => box(one, target));
  const overlay = drawn("svg", { viewBox: `0 0 ${page.width_px} ${page.height_px}`, class: "boxes" }, boxes);
  overlay.setAttribute("role", "group");
  overlay.setAttribute("aria-label", "Boxes of the leads");
  return element("div", [cropped(picture, whole, page, "The page", scale), overlay], { class: "page-picture" });
}

export function grayPage({ reading }) {
  const alt = "The page in grayscale, as the preprocessing sees it";
  return element("img", [], { class: "gray", src: dataAddress(reading.page.gray), alt });
}

export function dividedLeads({ picture, reading }) {
  const figures = reading.leads.map(({ lead, box: place }) => {
    const name = leadName(lead);
    const piece = cropped(picture, place, reading.page, `Lead ${name}, cut from the page`);
    return figureOfLead(lead, piece, `${place.width_px} × ${place.height_px} px`);
  });
  return element("div", figures, { class: "lead-grid" });
}

export function figureOfLead(lead, content, note) {
  const caption = element("figcaption", [element("strong", leadName(lead)), element("span", note, { class: "quiet" })]);
  return element("figure", [caption, content], { "data-lead": lead, class: lead === STRIP ? "lead strip" : "lead" });
}
