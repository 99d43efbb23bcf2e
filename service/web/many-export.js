// The table as a file: CSV for a spreadsheet, JSON with the service's whole answers.

import { levelOf } from "./verdict.js";
import { rateOf } from "./words.js";

const KNOWN = ["file", "verdict", "decision", "reasons", "predicted_class"];
const MEASURED = ["pr_ms", "qrs_ms", "qt_ms", "qtc_fridericia_ms", "qtc_bazett_ms", "axis_deg"];
const LATER = ["heart_rate_bpm", "regular", ...MEASURED, "findings", "model", "page_sha256", "request_id", "error", "error_found"];

function record({ name, state, answer, problem }) {
  if (!answer) return { file: name, verdict: state, error: problem?.code, error_found: problem?.found };
  const { decision, reasons, predicted_class, measurements, findings, model, source, request_id } = answer;
  const { heart_rate_bpm, regular } = rateOf(answer);
  return {
    file: name,
    verdict: levelOf(answer),
    decision,
    reasons: reasons.map(({ code }) => code).join(" "),
    predicted_class,
    ...answer.probabilities,
    heart_rate_bpm,
    regular,
    ...Object.fromEntries(MEASURED.map((name) => [name, measurements[name]])),
    findings: findings.filter(({ present }) => present).map(({ code }) => code).join(" "),
    model: `${model.name}/${model.version}`,
    page_sha256: source.sha256,
    request_id,
  };
}

// A spreadsheet runs what begins like a formula, and a file's name may.
const safe = (value) => (/^[=+\-@\t\r]/.test(value) ? `'${value}` : value);
const cell = (value) =>
  typeof value === "number" ? String(value) : `"${safe(String(value ?? "")).replaceAll('"', '""')}"`;

// RFC 4180, with the mark by which Excel knows UTF-8.
export function asCsv(entries) {
  const classes = [...new Set(entries.flatMap(({ answer }) => Object.keys(answer?.probabilities ?? {})))];
  const heads = [...KNOWN, ...classes, ...LATER];
  const rows = entries.map(record).map((one) => heads.map((head) => cell(one[head])).join(","));
  return `\ufeff${[heads.join(","), ...rows, ""].join("\r\n")}`;
}

export const asJson = (entries) =>
  JSON.stringify(
    entries.map(({ name, state, answer, problem }) => ({ file: name, state, answer, problem })),
    null,
    2,
  );
