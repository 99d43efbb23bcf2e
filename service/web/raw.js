// The answer as programs get it, and the command that gets it again.

import { element, scrolling } from "./elements.js";
import { signedIn } from "./key.js";
import { addressOf } from "./service.js";
import { modelName, modelRef } from "./words.js";

const EXAMPLE_FILE = "page.jpg";

export function curl({ model }) {
  const address = new URL(addressOf("classify", { model: modelRef(model) }), document.baseURI);
  const key = signedIn() ? '-H "Authorization: Bearer $ECG_KEY" ' : "";
  return `curl ${key}-F file=@${EXAMPLE_FILE} '${address}'`;
}

const block = (text, label) => scrolling(element("pre", element("code", text)), label);

export function rawAnswers({ answers }) {
  const words = element("p", ["The same from a program, with the file as ", element("code", EXAMPLE_FILE), ":"]);
  return answers.flatMap((answer) => [
    ...(answers.length > 1 ? [element("h4", modelName(answer.model))] : []),
    words.cloneNode(true),
    block(curl(answer), `Command for ${modelName(answer.model)}`),
    block(JSON.stringify(answer, null, 2), `JSON of ${modelName(answer.model)}`),
  ]);
}
