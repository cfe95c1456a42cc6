// Package summary makes International Patient Summaries (HL7 FHIR R4 documents) from FHIR
// files, and shows them as a page in a terminal: what somebody needs to know who treats a
// patient that cannot answer. Allergies, medications and problems; nothing is inferred.
//
// What stands there is this patient's, current, as written, and says when. What is not known,
// contradicts or could not be read is said in a line that names it: one bad element costs its
// line, never the rest. The decisions are rules by name, in one rulebook: what a source lacks,
// which copy is newer, who is one person, whose a fact is, what is current, and what a list
// says as a whole.
package summary
