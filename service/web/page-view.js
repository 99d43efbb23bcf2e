// The page with its thirteen named boxes, and the pieces that they cut from it.

import { drawn, element, scrolling } from "./elements.js";
import { cropped, dataAddress } from "./picture.js";
import { leadName } from "./words.js";

const STRIP = "rhythm_strip";

function box({ lead, box: { left_px, top_px, width_px, height_px } }, target, ids) {
  const name = leadName(lead);
  const place = { x: left_px, y: top_px, width: width_px, height: height_px };
  const label = drawn("text", { x: left_px + 12, y: top_px, dy: "1em" }, name);
  const parts = [drawn("rect", { class: "frame", ...place }), label];
  const link = { "data-lead": lead, href: `#${target}-${lead}`, "aria-label": `Lead ${name}` };
  return drawn("a", { ...link, ...(ids ? { id: `box-${lead}` } : {}) }, parts);
}

// `target`: what a box leads to, by the beginning of its id. Only the boxes of the page at its full size have ids.
export function pageWithBoxes({ picture, reading }, target, scale = 1) {
  const { page, leads } = reading;
  const whole = { left_px: 0, top_px: 0, ...page };
  const boxes = leads.map((one) => box(one, target, scale === 1));
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
  const isStrip = lead === STRIP; // On a phone it would be too small to read, so it scrolls.
  const shown = isStrip ? scrolling(content, `${leadName(lead)}, drawn`) : content;
  return element("figure", [caption, shown], { "data-lead": lead, class: isStrip ? "lead strip" : "lead" });
}
