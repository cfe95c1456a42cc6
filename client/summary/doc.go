// Package summary makes International Patient Summaries (HL7 FHIR R4 documents) from FHIR
// bundles, and shows them as a page in a terminal: what somebody needs to know who treats a
// patient that cannot answer. Allergies, medications and problems; nothing is inferred, and
// what the sources are silent about is said to be unavailable, never to be absent.
package summary
