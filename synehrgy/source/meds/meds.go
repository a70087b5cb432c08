// Package meds reads and writes MEDS, the Medical Event Data Standard: Parquet files of (subject_id, time, code,
// numeric_value, text_value) with metadata beside them. It is the format of cohorts on disk: any MEDS data set can come in,
// and what goes out is a MEDS 0.4 data set that other tools read.
//
// # A cohort of ours on disk
//
//	data/<split>/<n>.parquet             the events; split is train, tuning, held_out, or none for patients without a split
//	metadata/dataset.json                what the data set is
//	metadata/codes.parquet               one row for every code in the data, with description and unit
//	metadata/subject_splits.parquet      subject_id, split
//	metadata/synehrgy.json               the schema of the cohort; its presence marks a cohort of ours
//	metadata/synehrgy_patients.parquet   position in the cohort, subject_id, patient id, number of events
//
// Beside the columns of MEDS the data have visit (1, 2, … within the patient), ordinal (0, 1, … within the visit, in the order
// of package ehr) and exact_value. A visit is written as
//
//	HOSPITAL_ADMISSION             at its start; text: visit id; exact: minutes since the previous discharge, where known
//	COVARIATE//name                at its start; number, or text for a category
//	MEASUREMENT//name              at its minute; number, or text for a category
//	LABEL//name                    at its end; 1 or 0
//	DIAGNOSIS//system//code, PROCEDURE//…, DRUG//…, TREATMENT//…      at its end: the record does not tell when they were
//	                               made, and at the end they tell nothing that was not known
//	HOSPITAL_DISCHARGE             at its end, when the stay is known
//
// and, for other tools only, MEDS_BIRTH (from a covariate age in years) and MEDS_DEATH (from the mortality label) stand
// without a visit. The end is start + stay, or the last row where the stay is unknown.
//
// A cohort holds no dates, and MEDS wants some: the first visit of every patient begins on 2000-01-01 at midnight, a visit
// whose distance from the one before is unknown begins 30 days after its end. Those dates mean nothing.
//
// numeric_value is a 32-bit float. A number that is not the same after rounding its float to the decimals of its variable
// stands in exact_value, a double, too; so cohorts come back exactly as they went out (with nil for empty lists).
//
// The same cohort gives the same bytes.
package meds

import (
	"path/filepath"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
)

// Version is the version of MEDS that is written.
const Version = "0.4.1"

// The files of a MEDS data set, and ours, below its folder.
var (
	dataFolder   = "data"
	datasetFile  = filepath.Join("metadata", "dataset.json")
	codesFile    = filepath.Join("metadata", "codes.parquet")
	splitsFile   = filepath.Join("metadata", "subject_splits.parquet")
	schemaFile   = filepath.Join("metadata", "synehrgy.json")
	patientsFile = filepath.Join("metadata", "synehrgy_patients.parquet")
)

// Codes with a meaning of their own.
const (
	birthCode     = "MEDS_BIRTH"
	deathCode     = "MEDS_DEATH"
	admissionCode = "HOSPITAL_ADMISSION"
	dischargeCode = "HOSPITAL_DISCHARGE"
)

// noSplit is what subject_splits.parquet says of a patient without a split, and the folder of its data.
const noSplit = "none"

func splitName(s ehr.Split) string {
	if s == ehr.NoSplit {
		return noSplit
	}
	return s.String()
}

// The calendar, in microseconds.
const (
	minute     = int64(60_000_000)
	year       = 24 * 60 * minute * 1461 / 4    // 365.25 days
	calendar   = int64(946_684_800_000_000)     // 2000-01-01T00:00:00Z
	someGap    = int64(30 * 24 * 60)            // minutes between visits whose distance is unknown
	mostMinute = int64(100_000 * 365 * 24 * 60) // 100,000 years: further the calendar does not go
)

var kindWords = map[ehr.CodeKind]string{
	ehr.Diagnosis: "DIAGNOSIS", ehr.Procedure: "PROCEDURE", ehr.Drug: "DRUG", ehr.Treatment: "TREATMENT",
}

// words are the codes under which the parts of a schema stand in the data.
type words struct {
	covariates, labels, measurements []string
	systems                          []string // prefixes, ending in //
}

func wordsOf(s *ehr.Schema) words {
	var w words
	for _, v := range s.Covariates {
		w.covariates = append(w.covariates, "COVARIATE//"+v.Name)
	}
	for _, l := range s.Labels {
		w.labels = append(w.labels, "LABEL//"+l.Name)
	}
	for _, y := range s.Systems {
		w.systems = append(w.systems, kindWords[y.Kind]+"//"+y.Name+"//")
	}
	for _, v := range s.Variables {
		w.measurements = append(w.measurements, "MEASUREMENT//"+v.Name)
	}
	return w
}
