// Ways to take the answer along: as text, as JSON, on paper. The server keeps none of it.

import { byId, element } from "./elements.js";
import { presentOf, readersInWords } from "./findings.js";
import { measuredInWords } from "./measured.js";
import { text } from "./texts.js";
import { elsewhere, flags, whereChosen } from "./thresholds.js";
import { inLines } from "./verdict.js";
import { className, findingName, modelName, number, probability } from "./words.js";

async function watch(answer) {
  const { operating_point: point } = answer;
  const [name, words] = flags(point);
  const worth = point ? [await elsewhere(answer), whereChosen(point)] : [];
  return `${name}: ${[words, ...worth].filter(Boolean).join(" ")}`;
}

function found({ findings }) {
  if (!findings.length) return [];
  const words = presentOf(findings).map((one) => `${findingName(one)} ${probability(one.probability)}`);
  return [`${text("findings.title")}: ${words.join(", ") || text("findings.none")}`];
}

async function asText(answer) {
  const { probabilities, decision, reasons, quality, model, source, request_id } = answer;
  const mv = number(quality.einthoven_residual_mv, 3);
  return [
    ...inLines(answer),
    ...Object.entries(probabilities).map(([name, value]) => `${className(name)}: ${probability(value)}`),
    ...found(answer),
    ...measuredInWords(answer).map(([name, words]) => `${name}: ${words}`),
    `${text("details.decision")}: ${text(`decision.${decision}`)}`,
    ...reasons.map(({ message }) => `- ${message}`),
    ...(readersInWords(answer) ?? []).map(([name, words]) => `${name}: ${words}`),
    `${text("measured.consistency")}: ${text("measured.consistency.off", { mv })}`,
    await watch(answer),
    ...(answer.policy === "site" ? [`${text("details.thresholds")}: ${text("details.site")}`] : []),
    `${text("details.model")}: ${modelName(model)}, SHA-256 ${model.sha256}`,
    `${text("details.page")}: SHA-256 ${source.sha256}`,
    `${text("details.request")}: ${request_id}`,
    text("use"),
  ].join("\n");
}

export function download(name, content, type) {
  const address = URL.createObjectURL(new Blob([content], { type }));
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
      "application/json",
    );
    say(text("say.downloaded"));
  });
  byId("copy").addEventListener("click", async () => {
    const texts = await Promise.all(answers().map(asText));
    await copy(texts.join("\n\n"));
    say(text("say.copied"));
  });
}
