"""The DICOM door: ECGs in by C-STORE or files, results out as DICOM, FHIR and HL7; it asks the service over HTTP."""
