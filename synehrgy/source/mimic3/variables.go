package mimic3

import (
	_ "embed"
	"encoding/csv"
	"fmt"
	"strconv"
	"strings"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
)

// itemsCSV says which item ids of which table make up which variable, and how their numbers convert to its unit: fahrenheit,
// pound, or fraction (FiO2, written as a fraction up to 1 or in percent).
//
//go:embed items.csv
var itemsCSV string

// item is one line of items.csv.
type item struct {
	table    string
	id       int64
	variable int32
	convert  string
}

// variables are in the order of the schema: what is seen and counted at the bedside, vital signs, then laboratory. The ranges
// are wide; they shut out what no living body shows.
var variables = []ehr.Variable{
	ehr.NewCategory("capillary_refill", "Capillary refill", "normal", "abnormal"),
	ehr.NewCategory("gcs_eye", "Glasgow coma scale, eye opening", "none", "to_pain", "to_speech", "spontaneous"),
	ehr.NewCategory("gcs_motor", "Glasgow coma scale, motor response", "none", "abnormal_extension", "abnormal_flexion", "flex_withdraws",
		"localizes_pain", "obeys_commands"),
	ehr.NewCategory("gcs_verbal", "Glasgow coma scale, verbal response", "none", "incomprehensible_sounds", "inappropriate_words", "confused",
		"oriented", "et_trach"),
	ehr.NewNumber("gcs_total", "Glasgow coma scale", "1", 0, 3, 15),
	ehr.NewNumber("heart_rate", "Heart rate", "1/min", 0, 10, 350),
	ehr.NewNumber("respiratory_rate", "Respiratory rate", "1/min", 0, 1, 120),
	ehr.NewNumber("respiratory_rate_spontaneous", "Spontaneous respiratory rate", "1/min", 0, 0, 120),
	ehr.NewNumber("oxygen_saturation", "Oxygen saturation, pulse oximetry", "%", 0, 20, 100),
	ehr.NewNumber("oxygen_saturation_arterial", "Oxygen saturation, arterial", "%", 0, 20, 100),
	ehr.NewNumber("systolic_pressure", "Systolic pressure, cuff", "mmHg", 0, 20, 375),
	ehr.NewNumber("diastolic_pressure", "Diastolic pressure, cuff", "mmHg", 0, 5, 300),
	ehr.NewNumber("mean_pressure", "Mean pressure, cuff", "mmHg", 0, 10, 330),
	ehr.NewNumber("systolic_pressure_invasive", "Systolic pressure, arterial line", "mmHg", 0, 20, 375),
	ehr.NewNumber("diastolic_pressure_invasive", "Diastolic pressure, arterial line", "mmHg", 0, 5, 300),
	ehr.NewNumber("mean_pressure_invasive", "Mean pressure, arterial line", "mmHg", 0, 10, 330),
	ehr.NewNumber("temperature", "Temperature", "degC", 1, 20, 45),
	ehr.NewNumber("fio2", "Fraction of inspired oxygen", "%", 0, 20, 100),
	ehr.NewNumber("weight", "Weight", "kg", 1, 0.2, 400),
	ehr.NewNumber("glucose", "Glucose, blood", "mg/dL", 0, 5, 2500),
	ehr.NewNumber("urine_glucose", "Glucose, urine", "mg/dL", 0, 0, 5000),
	ehr.NewNumber("ph", "pH, blood", "1", 2, 6.3, 8.4),
	ehr.NewNumber("urine_ph", "pH, urine", "1", 1, 4, 10),
	ehr.NewNumber("paco2", "Partial pressure of carbon dioxide", "mmHg", 0, 5, 250),
	ehr.NewNumber("pao2", "Partial pressure of oxygen", "mmHg", 0, 10, 800),
	ehr.NewNumber("lactate", "Lactate", "mmol/L", 1, 0, 40),
	ehr.NewNumber("calcium_ionized", "Ionized calcium", "mmol/L", 2, 0.1, 4),
	ehr.NewNumber("bicarbonate", "Bicarbonate", "mEq/L", 0, 1, 70),
	ehr.NewNumber("chloride", "Chloride", "mEq/L", 0, 50, 175),
	ehr.NewNumber("sodium", "Sodium", "mEq/L", 0, 80, 200),
	ehr.NewNumber("potassium", "Potassium", "mEq/L", 1, 1, 30),
	ehr.NewNumber("anion_gap", "Anion gap", "mEq/L", 0, -20, 80),
	ehr.NewNumber("calcium", "Calcium, total", "mg/dL", 1, 2, 35),
	ehr.NewNumber("magnesium", "Magnesium", "mg/dL", 1, 0.1, 30),
	ehr.NewNumber("phosphate", "Phosphate", "mg/dL", 1, 0.1, 40),
	ehr.NewNumber("bun", "Blood urea nitrogen", "mg/dL", 0, 0, 300),
	ehr.NewNumber("creatinine", "Creatinine", "mg/dL", 1, 0, 50),
	ehr.NewNumber("alt", "Alanine aminotransferase", "IU/L", 0, 0, 30000),
	ehr.NewNumber("ast", "Aspartate aminotransferase", "IU/L", 0, 0, 40000),
	ehr.NewNumber("alp", "Alkaline phosphatase", "IU/L", 0, 0, 5000),
	ehr.NewNumber("bilirubin", "Bilirubin, total", "mg/dL", 1, 0, 80),
	ehr.NewNumber("albumin", "Albumin", "g/dL", 1, 0.5, 7),
	ehr.NewNumber("ldh", "Lactate dehydrogenase", "IU/L", 0, 0, 60000),
	ehr.NewNumber("troponin_t", "Troponin T", "ng/mL", 2, 0, 100),
	ehr.NewNumber("troponin_i", "Troponin I", "ng/mL", 1, 0, 200),
	ehr.NewNumber("hematocrit", "Hematocrit", "%", 1, 5, 75),
	ehr.NewNumber("hemoglobin", "Hemoglobin", "g/dL", 1, 1, 26),
	ehr.NewNumber("mcv", "Mean corpuscular volume", "fL", 0, 40, 160),
	ehr.NewNumber("rbc", "Red blood cells", "M/uL", 2, 0.3, 10),
	ehr.NewNumber("platelets", "Platelets", "K/uL", 0, 0, 3000),
	ehr.NewNumber("wbc", "White blood cells", "K/uL", 1, 0, 700),
	ehr.NewNumber("neutrophils", "Neutrophils", "%", 1, 0, 100),
	ehr.NewNumber("lymphocytes", "Lymphocytes", "%", 1, 0, 100),
	ehr.NewNumber("monocytes", "Monocytes", "%", 1, 0, 100),
	ehr.NewNumber("eosinophils", "Eosinophils", "%", 1, 0, 100),
	ehr.NewNumber("basophils", "Basophils", "%", 1, 0, 100),
	ehr.NewNumber("pt", "Prothrombin time", "s", 1, 5, 200),
	ehr.NewNumber("inr", "International normalized ratio", "1", 1, 0.3, 40),
	ehr.NewNumber("ptt", "Partial thromboplastin time", "s", 1, 10, 200),
}

// spellings turn the words of both charting systems, CareVue and MetaVision, into categories. CareVue puts the score before
// the word ("1.0 ET/Trach"); the score is taken off before the words are looked up.
var spellings = map[string]map[string]float64{
	"capillary_refill": {"normal <3 secs": 0, "normal <3 seconds": 0, "brisk": 0, "abnormal >3 secs": 1, "abnormal >3 seconds": 1,
		"delayed": 1},
	"gcs_eye": {"no response": 0, "none": 0, "to pain": 1, "to speech": 2, "spontaneously": 3},
	"gcs_motor": {"no response": 0, "abnorm extensn": 1, "abnormal extension": 1, "abnorm flexion": 2, "abnormal flexion": 2,
		"flex-withdraws": 3, "localizes pain": 4, "obeys commands": 5},
	"gcs_verbal": {"no response": 0, "incomp sounds": 1, "incomprehensible sounds": 1, "inapprop words": 2, "inappropriate words": 2,
		"confused": 3, "oriented": 4, "et/trach": 5, "no response-ett": 5},
}

// items reads items.csv. An error is a defect of this package.
func items(schema *ehr.Schema) ([]item, error) {
	records, err := csv.NewReader(strings.NewReader(itemsCSV)).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("items.csv: %w", err)
	}
	out := make([]item, 0, len(records)-1)
	for _, r := range records[1:] {
		id, err := strconv.ParseInt(r[1], 10, 64)
		variable := schema.VariableIndex(r[2])
		if err != nil || variable < 0 {
			return nil, fmt.Errorf("items.csv: item %s of variable %s", r[1], r[2])
		}
		out = append(out, item{r[0], id, variable, r[3]})
	}
	return out, nil
}

// value is what a row of an item says in the terms of its variable; ok is false where it says nothing.
func (it *item) value(def *ehr.Variable, x float64, isNumber bool, text string) (y float64, ok bool) {
	if def.Kind == ehr.Category {
		y, ok = spellings[def.Name][normalized(text)]
		return y, ok
	}
	if !isNumber {
		return 0, false
	}
	switch it.convert {
	case "fahrenheit":
		x = (x - 32) / 1.8
	case "pound":
		x *= 0.45359237
	case "fraction":
		if x <= 1 {
			x *= 100
		}
	}
	return def.Round(x), true
}

// normalized is a text in lower case without the score before it.
func normalized(text string) string {
	text = strings.ToLower(strings.TrimSpace(text))
	if score, words, found := strings.Cut(text, " "); found {
		if _, err := strconv.ParseFloat(score, 64); err == nil {
			text = strings.TrimSpace(words)
		}
	}
	return text
}
