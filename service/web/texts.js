// All words of the page's own, by key and language. A hospital adds a language with a copy of texts-en.js and a line here.

import en from "./texts-en.js";

const LANGUAGES = {
  en: { name: "English", load: async () => ({ default: en }) },
  es: { name: "Español", load: () => import("./texts-es.js") },
};
const listeners = [];

const known = (tag) => (tag?.slice(0, 2).toLowerCase() in LANGUAGES ? tag.slice(0, 2).toLowerCase() : null);
const asked = () => new URLSearchParams(location.search).get("lang");
let language = known(asked()) ?? known(navigator.language) ?? "en";
let table = (await LANGUAGES[language].load()).default;

export const languageInUse = () => language;

const filled = (words, values) => words.replace(/\{(\w+)\}/g, (_, name) => values[name]);

// A text that is missing in a language appears in English.
export const text = (key, values = {}) => filled(table[key] ?? en[key], values);

// For names from the service: a text where the table has one, else the service's own words.
export const textOr = (key, fallback, values = {}) => {
  const words = table[key] ?? en[key];
  return words === undefined ? fallback : filled(words, values);
};

// `data-text` names an element's words, `data-label` its accessible name.
function fill(root) {
  for (const one of root.querySelectorAll("[data-text]")) one.textContent = text(one.dataset.text);
  for (const one of root.querySelectorAll("[data-label]")) one.setAttribute("aria-label", text(one.dataset.label));
}

export function applyTexts() {
  document.documentElement.lang = language;
  document.title = text("title");
  fill(document);
}

export const whenLanguageChanges = (listener) => listeners.push(listener);

// Fills the list of languages. The address keeps the choice, so that a bookmark has it; nothing else is stored.
export function offerLanguages(select) {
  const options = Object.entries(LANGUAGES).map(([tag, { name }]) => Object.assign(new Option(name, tag), { lang: tag }));
  select.replaceChildren(...options);
  select.value = language;
  select.addEventListener("change", async () => {
    const chosen = select.value;
    table = (await LANGUAGES[chosen].load()).default;
    language = chosen;
    const address = new URL(location.href);
    address.searchParams.set("lang", language);
    history.replaceState(null, "", address);
    applyTexts();
    listeners.forEach((listener) => listener());
  });
}
