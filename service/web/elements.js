// Elements built from text: nothing that was received is ever parsed as HTML.

export const byId = (id) => document.getElementById(id);

export function element(tag, content = [], attributes = {}) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...[content].flat());
  return made;
}

export const inWords = (className) => className.replaceAll("_", " ");
