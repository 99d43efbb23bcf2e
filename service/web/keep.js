// Ways to take the answer along: as text, as JSON, on paper. The server keeps none of it.

import { byId, element } from "./elements.js";
import { className, heartRate, modelName, number, probability } from "./words.js";

const INTENDED_USE = () => byId("intended-use").textContent.trim();

export function asText({ decision, predicted_class, probabilities, reasons, quality, model, image, request_id }) {
  return [
    `${decision === "reported" ? "Reported" : "Referred to a person"}. Most probable: ${className(predicted_class)}`,
    ...reasons.map(({ message }) => `- ${message}`),
    ...Object.entries(probabilities).map(([name, value]) => `${className(name)}: ${probability(value)}`),
    `Heart rate: ${heartRate(quality.heart_rate_bpm)}`,
    `Lead consistency: ${number(quality.einthoven_residual_mv, 3)} mV off`,
    `Model: ${modelName(model)}, SHA-256 ${model.sha256}`,
    `Page: SHA-256 ${image.sha256}`,
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
    await copy(answers().map(asText).join("\n\n"));
    say("Copied as text.");
  });
}
