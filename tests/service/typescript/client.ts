// A client as an integrator writes it: sends one page, reads the answer or the problem, prints what it read.
import { readFile } from "node:fs/promises";
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

// Not the FHIR or HL7 that Accept can ask for.
type Json = "application/json" | "application/problem+json";

const [baseUrl, page] = process.argv.slice(2) as [string, string];

function retryable(code: components["schemas"]["Problem"]["code"]): boolean {
  return code === "overloaded" || code === "not_ready";
}

async function formOf(path: string): Promise<FormData> {
  const form = new FormData();
  form.append("file", new Blob([await readFile(path)]), "page");
  return form;
}

const form = await formOf(page);
const { data, error } = await createClient<paths, Json>({ baseUrl }).POST("/classify", {
  params: { query: { explain: true } },
  body: { file: page },
  bodySerializer: () => form,
});

if (data !== undefined) {
  const total = Object.values(data.probabilities).reduce((sum, one) => sum + one, 0);
  const explained = data.leads.filter((one) => one.explanation !== null).map((one) => one.lead);
  const uncertain = data.reasons.some((reason) => reason.code === "uncertain");
  console.log(JSON.stringify({ decision: data.decision, total, explained, uncertain }));
} else {
  console.log(JSON.stringify({ code: error.code, remedy: error.remedy, retryable: retryable(error.code) }));
}
