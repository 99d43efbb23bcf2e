// Many pages, read one after the other: what waits, what was answered, what failed. Nothing is dropped.

import { send } from "./service.js";

const AT_ONCE = 2;
const RETRIES = 5;
const RETRY_MS = 2000;
const TRY_AGAIN = new Set(["overloaded", "rate_limited", "deadline_exceeded", "not_ready", "body_timeout"]);

const pause = (ms, signal) =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => (clearTimeout(timer), reject(signal.reason)), { once: true });
  });

// An entry's `state` is waiting, reading, answered or failed; then it has an `answer` or a `problem`.
export class Many {
  entries = [];
  #changed;
  #modelOf;
  #stopping = null;

  // `changed` gets each entry that changes, and null when the work begins or ends.
  constructor(modelOf, changed) {
    this.#modelOf = modelOf;
    this.#changed = changed;
  }

  get running() {
    return this.#stopping !== null;
  }

  count(state) {
    return this.entries.filter((one) => one.state === state).length;
  }

  // More pages are added to those that are there.
  add(pages) {
    for (const page of pages) this.entries.push({ ...page, id: this.entries.length, state: "waiting" });
    this.start();
  }

  again() {
    for (const entry of this.entries.filter(({ state }) => state === "failed")) this.#set(entry, "waiting");
    this.start();
  }

  stop() {
    this.#stopping?.abort();
  }

  async start() {
    if (this.running) return;
    this.#stopping = new AbortController();
    this.#changed(null);
    const { signal } = this.#stopping;
    await Promise.all(Array.from({ length: AT_ONCE }, () => this.#work(signal)));
    this.#stopping = null;
    this.#changed(null);
  }

  async #work(signal) {
    for (;;) {
      const entry = this.entries.find(({ state }) => state === "waiting");
      if (!entry || signal.aborted) return;
      this.#set(entry, "reading");
      try {
        const { ok, content } = await this.#answer(entry, signal);
        this.#set(entry, ok ? "answered" : "failed", ok ? { answer: content } : { problem: content });
      } catch (fault) {
        this.#set(entry, "waiting");
        if (!signal.aborted) throw fault;
      }
    }
  }

  // A busy service is asked again, so that a long row of pages does not fail for its length.
  async #answer({ file }, signal) {
    for (let tried = 0; ; tried += 1) {
      const result = await send("classify", file, { model: this.#modelOf() }, { signal });
      if (result.ok || tried === RETRIES || !TRY_AGAIN.has(result.content.code)) return result;
      await pause(RETRY_MS, signal);
    }
  }

  #set(entry, state, more = {}) {
    Object.assign(entry, { state, answer: undefined, problem: undefined }, more);
    this.#changed(entry);
  }
}
