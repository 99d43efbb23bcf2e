// Shows the OpenAPI description as a page. Swagger UI would be 1.5 MB of scripts, by default from a public host.

import { byId, element, scrolling } from "./elements.js";

const EXAMPLE_FILE = "page.jpg";
const EXAMPLE_REQUEST = "request.json";

// Descriptions use `code`, and no other markup.
function prose(text = "") {
  return text.split("`").map((piece, index) => (index % 2 ? element("code", piece) : piece));
}

function table(caption, heads, rows) {
  if (!rows.length) return [];
  const head = element(
    "tr",
    heads.map((text) => element("th", text, { scope: "col" })),
  );
  const body = rows.map((cells) =>
    element(
      "tr",
      cells.map((cell) => element("td", cell)),
    ),
  );
  const made = element("table", [element("caption", caption), element("thead", head), element("tbody", body)]);
  return [scrolling(made, caption)];
}

function typeOf(schema) {
  if (schema.$ref) return schema.$ref.split("/").at(-1);
  if (schema.anyOf) return schema.anyOf.map(typeOf).join(" or ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.type === "array" && schema.items) return `list of ${typeOf(schema.items)}`;
  if (schema.type === "object" && schema.additionalProperties) return `${typeOf(schema.additionalProperties)} by name`;
  return schema.format ?? schema.type ?? "any";
}

function fields(schema) {
  return Object.entries(schema.properties ?? {}).map(([name, field]) => [
    element("code", name),
    schema.enum ? schema.enum.join(", ") : typeOf(field),
    prose(field.description),
  ]);
}

function curl(path, operation) {
  const bodies = operation.requestBody?.content ?? {};
  const upload = bodies["multipart/form-data"]
    ? ` -F file=@${EXAMPLE_FILE}`
    : operation.requestBody
      ? ` --data-binary @${EXAMPLE_REQUEST}`
      : "";
  return element("pre", element("code", `curl${upload} ${decodeURI(new URL(path.slice(1), document.baseURI))}`));
}

function operationSection(path, method, operation) {
  const parameters = (operation.parameters ?? []).map(({ name, schema, description }) => [
    element("code", name),
    typeOf(schema),
    prose(description),
  ]);
  const bodies = Object.entries(operation.requestBody?.content ?? {}).map(([mediaType, { schema }]) => [
    element("code", mediaType),
    schema.properties
      ? `a form of exactly one part, named ${Object.keys(schema.properties)}`
      : (schema.description ?? "the file itself"),
  ]);
  const answers = Object.entries(operation.responses).map(([status, response]) => {
    const { schema } = Object.values(response.content)[0];
    return [status, prose(response.description), element("code", schema.title ?? typeOf(schema))];
  });
  return element("section", [
    element("h2", element("code", `${method.toUpperCase()} ${path}`)),
    element("p", element("strong", operation.summary)),
    element("p", prose(operation.description)),
    curl(path, operation),
    ...table("Parameters", ["Name", "Type", "Meaning"], parameters),
    ...table("Body", ["Content-Type", "Content"], bodies),
    ...table("Answers", ["Status", "When", "Body"], answers),
  ]);
}

function schemaSection([name, schema]) {
  return element("section", [
    element("h2", name),
    element("p", prose(schema.description)),
    ...(schema.enum ? [element("p", schema.enum.join(", "))] : []),
    ...table(`Fields of ${name}`, ["Name", "Type", "Meaning"], fields(schema)),
  ]);
}

function problemSchema(api) {
  const operations = Object.values(api.paths).flatMap(Object.values);
  const responses = operations.flatMap((operation) => Object.values(operation.responses));
  return responses.map((one) => one.content["application/problem+json"]?.schema).find(Boolean);
}

async function show() {
  const api = await (await fetch("openapi.json")).json();
  for (const part of ["title", "summary", "description"]) byId(part).textContent = api.info[part];
  const operations = Object.entries(api.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => operationSection(path, method, operation)),
  );
  const schemas = Object.entries({ ...api.components.schemas, Problem: problemSchema(api) });
  const described = schemas.filter(([, schema]) => schema.properties || schema.enum);
  byId("operations").replaceChildren(...operations, ...described.map(schemaSection));
  byId("operations").setAttribute("aria-busy", "false");
}

show();
