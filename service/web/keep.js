// Ways to take the answer along: as text, as JSON, on paper. The server keeps none of it.

import { DECISIONS, SEEN_BEFORE, SITE_POLICY } from "./answer.js";
import { byId, element } from "./elements.js";
import { presentOf, readersInWords } from "./findings.js";
import { elsewhere, flags, whereChosen } from "./thresholds.js";
import { className, heartRate, modelName, number, probability } from "./words.js";

const INTENDED_USE = () => byId("intended-use").textContent.trim();

async function watch(answer) {
  const { operating_point: point } = answer;
  const [name, words] = flags(point);
  const worth = point ? [await elsewhere(answer), whereChosen(point)] : [];
  return `${name}: ${[words, ...worth].filter(Boolean).join(" ")}`;
}

function found({ findings }) {
  if (!findings.length) return [];
  const words = presentOf(findings).map(({ name, probability: value }) => `${name} ${probability(value)}`);
  return [`Findings at or above their thresholds: ${words.join(", ") || "none"}`];
}

async function asText(answer) {
  const { decision, predicted_class, probabilities, reasons, seen_in_training } = answer;
  const { quality, model, image, source, request_id } = answer;
  const [title, words] = DECISIONS[decision];
  return [
    `${title}. Most probable: ${className(predicted_class)}`,
    words,
    ...reasons.map(({ message }) => `- ${message}`),
    ...(seen_in_training ? [SEEN_BEFORE] : []),
    ...Object.entries(probabilities).map(([name, value]) => `${className(name)}: ${probability(value)}`),
    ...found(answer),
    ...(readersInWords(answer) ?? []).map(([name, words]) => `${name}: ${words}`),
    `Heart rate: ${heartRate(quality)}`,
    `Lead consistency: ${number(quality.einthoven_residual_mv, 3)} mV off`,
    await watch(answer),
    ...(answer.policy === "site" ? [`Thresholds: ${SITE_POLICY}`] : []),
    `Model: ${modelName(model)}, SHA-256 ${model.sha256}`,
    `Page: SHA-256 ${(image ?? source).sha256}`,
    `Request: ${request_id}`,
    INTENDED_USE(),
  ].join("\n");
}

function download(name, text) {
  const address = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  element("a", [], { href: address, download: name }).click();
  URL.revokeObjectURL(address);
}

// Away from https and loopback, browsers give no page a clipboard: then what is selected is copied.
async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const field = element("textarea", text);
  document.body.append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
}

// `answers` gives those on the screen; `say` tells what was done.
export function offerToKeep(answers, say) {
  byId("print").addEventListener("click", () => window.print());
  byId("download").addEventListener("click", () => {
    const [first, ...others] = answers();
    download(
      `ecg-answer-${first.request_id}.json`,
      JSON.stringify(others.length ? [first, ...others] : first, null, 2),
    );
    say("The JSON was handed to the browser's downloads.");
  });
  byId("copy").addEventListener("click", async () => {
    const texts = await Promise.all(answers().map(asText));
    await copy(texts.join("\n\n"));
    say("Copied as text.");
  });
}
