"""Answers in the forms that hospital records take: FHIR and HL7 version 2."""
