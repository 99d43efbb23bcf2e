// What in the leads the answer rests on, asked for when wanted: the page is classified again and again for it.

import { button, drawn, element } from "./elements.js";
import { problemCard } from "./problem.js";
import { figureOfLead } from "./page-view.js";
import { leadChart } from "./traces.js";
import { className, modelName, modelRef, share } from "./words.js";

const BAR_SHARE = 0.3; // of the chart's height, for the strongest place on the page

function evidence({ curve, rate_hz }) {
  return ({ width, height, px_per_s }) =>
    curve.flatMap((value, at) => {
      const x = (at / rate_hz) * px_per_s;
      const column = { x, width: Math.max(0, Math.min(px_per_s / rate_hz, width - x)) };
      const bar = value * BAR_SHARE * height;
      return [
        drawn("rect", { class: "glow", ...column, y: 0, height, "fill-opacity": (value * 0.4).toFixed(3) }),
        drawn("rect", { class: "bar", ...column, y: height - bar, height: bar }),
      ];
    });
}

function charts(reading, { leads, predicted_class, model }) {
  const byLead = new Map(leads.map(({ lead, explanation }) => [lead, explanation]));
  const figures = reading.leads.map((one) => {
    const found = byLead.get(one.lead);
    return figureOfLead(one.lead, leadChart(one, evidence(found)), `${share(found.weight)} of the evidence`);
  });
  const words = `What speaks for “${className(predicted_class)}” in ${modelName(model)}: the higher and darker, the more is lost when that quarter of a second is wiped. The strongest place on the page reaches ${BAR_SHARE * 100}% of the height.`;
  return [element("p", words, { tabindex: -1 }), element("div", figures, { class: "lead-grid" })];
}

// Says that it goes on, and for how long it has.
function progress(cancel) {
  const seconds = element("span", "0 s");
  const started = performance.now();
  const clock = setInterval(
    () => (seconds.textContent = `${Math.round((performance.now() - started) / 1000)} s`),
    1000,
  );
  const bar = element("progress", [], { "aria-label": "Explaining" });
  const shown = element(
    "p",
    [bar, " Classifying the page again without each of its parts, ", seconds, " ", button("Cancel", cancel)],
    { class: "working" },
  );
  return { shown, stop: () => clearInterval(clock) };
}

function explained(answer, { reading, explain, signal }) {
  const offer = button(`Show what ${modelName(answer.model)} rests on`, start, { class: "primary" });
  const place = element("div", offer);
  // What had the focus is gone, so it goes to what came.
  const replace = (...content) => {
    place.replaceChildren(...content);
    place.querySelector("button, [tabindex]")?.focus();
  };
  async function start() {
    const cancelling = new AbortController();
    const { shown, stop } = progress(() => cancelling.abort());
    replace(shown);
    try {
      const { ok, content } = await explain(modelRef(answer.model), AbortSignal.any([signal, cancelling.signal]));
      replace(
        ...(ok ? charts(reading, content) : [problemCard(content, { what: "The explanation cannot be shown" }), offer]),
      );
    } catch (fault) {
      replace(offer);
      if (!cancelling.signal.aborted && !signal.aborted) throw fault;
    } finally {
      stop();
    }
  }
  return place;
}

export const explanations = (content) => content.answers.map((answer) => explained(answer, content));
