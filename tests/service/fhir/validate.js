// Reads a list of resources from stdin and prints, for each, what is wrong with it by HL7's FHIR R4 definitions.
import { readFileSync } from "node:fs";
import { Fhir } from "fhir";

const fhir = new Fhir();
const complaints = (resource) =>
  fhir
    .validate(resource, { errorOnUnexpected: true })
    .messages.filter(({ severity }) => severity === "error" || severity === "fatal")
    .map(({ location, message }) => `${location}: ${message}`);
console.log(JSON.stringify(JSON.parse(readFileSync(0, "utf8")).map(complaints)));
