// The original page as a sheet in millimetres, so that the same zoom and calipers work on it.

import { drawn } from "./elements.js";
import { dataAddress } from "./picture.js";
import { MM_PER_MV, MM_PER_S } from "./sheet.js";

// Pixels per millimetre across and down, from the reading's own scale.
function scaleOf([{ trace }]) {
  return { across: (trace.step_px * trace.rate_hz) / MM_PER_S, down: trace.px_per_mv / MM_PER_MV };
}

// Frames only: the page has its leads' names printed, and nothing may cover them.
function frame({ lead, box }, { across, down }) {
  const place = {
    x: box.left_px / across,
    y: box.top_px / down,
    width: box.width_px / across,
    height: box.height_px / down,
  };
  return drawn("rect", { class: "frame", "data-lead": lead, ...place });
}

// `scale` of a reading whose boxes are not the page's. `address` of the file as it was sent; null where the browser cannot show it, then the service's gray page is shown.
export function pageSheet({ page, leads, scale: own }, address) {
  const scale = own ?? scaleOf(leads);
  const size = { width: page.width_px / scale.across, height: page.height_px / scale.down };
  const image = drawn("image", { ...size, preserveAspectRatio: "none", href: address ?? dataAddress(page.gray) });
  const frames = drawn(
    "g",
    { class: "frames" },
    own ? [] : leads.map((one) => frame(one, scale)), // Another cart's leads have no boxes.
  );
  return { group: drawn("g", {}, [image, frames]), ...size, speed: own?.speed ?? MM_PER_S, gain: own?.gain ?? MM_PER_MV };
}
