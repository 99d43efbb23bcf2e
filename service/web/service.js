// Talks to the service: every address is relative, so that it works behind a proxy's prefix.

import { askForKey, authorization } from "./key.js";
import { modelRef } from "./words.js";

const NO_ANSWER = {
  code: "no_answer",
  title: "No answer of the service arrived",
  found: "A connection that broke, or an answer of something in between",
  expected: "An answer of the service",
  remedy:
    "Check that the file is a single report page: the upload of a file that is far too large is cut off. " +
    "Otherwise check the connection and try again.",
  request_id: "unknown",
};

function judged(status, content) {
  if (status === 401) askForKey(content);
  return { ok: status >= 200 && status < 300, content: content ?? NO_ANSWER };
}

export async function ask(address, { signal } = {}) {
  try {
    const response = await fetch(address, { headers: authorization(), signal });
    return judged(response.status, await response.json());
  } catch (fault) {
    if (signal?.aborted) throw fault;
    return { ok: false, content: NO_ANSWER };
  }
}

const cards = new Map(); // Promises by model: a bundle never changes.

// What a model says about itself; null where it cannot be had.
export function cardOf(model) {
  const ref = modelRef(model);
  if (!cards.has(ref)) cards.set(ref, askForCard(ref));
  return cards.get(ref);
}

async function askForCard(ref) {
  const { ok, content } = await ask(`models/${ref}/card`);
  if (!ok) cards.delete(ref);
  return ok ? content : null;
}

const query = (parameters) => {
  const given = Object.entries(parameters).filter(([, value]) => value);
  return given.length ? `?${new URLSearchParams(given)}` : "";
};

export const addressOf = (path, parameters) => decodeURIComponent(`${path}${query(parameters)}`);

// fetch cannot tell how much of an upload has gone; XMLHttpRequest can. The file's name, maybe a patient's, stays here.
export function send(path, file, parameters, { signal, onUpload = () => {} }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", `${path}${query(parameters)}`);
    request.responseType = "json";
    for (const [name, value] of Object.entries(authorization())) request.setRequestHeader(name, value);
    request.upload.addEventListener("progress", ({ loaded, total }) => onUpload(loaded / total));
    request.addEventListener("load", () => resolve(judged(request.status, request.response)));
    request.addEventListener("error", () => resolve({ ok: false, content: NO_ANSWER }));
    request.addEventListener("abort", () => reject(signal.reason));
    signal.addEventListener("abort", () => request.abort(), { once: true });
    const body = new FormData();
    body.append("file", file, "page");
    request.send(body);
  });
}
