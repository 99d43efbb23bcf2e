// Help in the page: what it is, what it is not, how to read it, and the keys.

import { byId, definitions, element } from "./elements.js";
import { text, whenLanguageChanges } from "./texts.js";

const PARTS = ["is", "is_not", "verdicts", "ecg", "many", "privacy"];
const KEYS = ["o", "b", "m", "c", "x", "zoom", "fit", "arrows", "shift"];

function content() {
  const parts = PARTS.flatMap((part) => [
    element("h3", text(`help.${part}`)),
    ...text(`help.${part}.text`)
      .split("\n")
      .map((line) => element("p", line)),
  ]);
  const rows = KEYS.map((key) => [element("kbd", text(`help.key.${key}`)), text(`help.key.${key}.does`)]);
  return [...parts, element("h3", text("help.keys")), element("p", text("help.keys.where")), definitions(rows)];
}

export function offerHelp() {
  const fill = () => byId("help-content").replaceChildren(...content());
  fill();
  whenLanguageChanges(fill);
  byId("help-open").addEventListener("click", () => byId("help").showModal());
  byId("help-close").addEventListener("click", () => byId("help").close());
}
