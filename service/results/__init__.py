"""Answers as FHIR and HL7."""
