// What paper needs beside the screen: the ECG at true scale, and where the answer comes from.

import { drawn, element } from "./elements.js";
import { USUAL, curveSheet } from "./sheet.js";
import { text } from "./texts.js";
import { modelName, moment } from "./words.js";

// What an A4 sheet in landscape leaves for the ECG below one answer, and below two.
const HEIGHT_MM = [125, 85];

// At 25 mm/s and 10 mm/mV.
export function paperSheet(reading, answers) {
  const { group, width, height } = curveSheet(reading, USUAL, { tall_mm: HEIGHT_MM[answers.length - 1], squeeze: true });
  const size = { width: `${width}mm`, height: `${height}mm`, viewBox: `0 0 ${width} ${height}` };
  return drawn("svg", { class: "ecg-paper", role: "img", "aria-label": text("ecg.curves.label"), ...size }, group);
}

export function provenance(answers) {
  const { source } = answers[0];
  const models = answers.map(({ model }) => modelName(model)).join("; ");
  const words = { model: models, sha: source.sha256, time: moment(new Date()) };
  return element("p", text("paper.origin", words), { class: "quiet" });
}
