package eicu

import (
	_ "embed"
	"encoding/csv"
	"fmt"
	"math"
	"strings"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
)

// measurementsCSV says which column or label of which table is which variable, and how its numbers convert: fraction (FiO2 as
// a fraction up to 1 or in percent), negative (a base deficit is a negative base excess), calcium (mg/dL above 2.5).
//
//go:embed measurements.csv
var measurementsCSV string

// measurement is one line of measurements.csv.
type measurement struct {
	table, label string
	variable     int32
	convert      string
}

// variables are in the order of the schema: vital signs, ventilation, laboratory. The ranges are wide; they shut out what no
// living body shows (a pressure or a cardiac output of 0, FiO2 of 10,000 %), not what is rare.
var variables = []ehr.Variable{
	ehr.NewNumber("heart_rate", "Heart rate", "1/min", 1, 10, 350),
	ehr.NewNumber("respiratory_rate", "Respiratory rate", "1/min", 1, 1, 120),
	ehr.NewNumber("oxygen_saturation", "Oxygen saturation, pulse oximetry", "%", 1, 20, 100),
	ehr.NewNumber("oxygen_saturation_arterial", "Oxygen saturation, arterial", "%", 1, 20, 100),
	ehr.NewNumber("temperature", "Temperature", "degC", 1, 20, 45),
	ehr.NewNumber("systolic_pressure", "Systolic pressure, cuff", "mmHg", 0, 20, 375),
	ehr.NewNumber("diastolic_pressure", "Diastolic pressure, cuff", "mmHg", 0, 5, 300),
	ehr.NewNumber("mean_pressure", "Mean pressure, cuff", "mmHg", 0, 10, 330),
	ehr.NewNumber("systolic_pressure_invasive", "Systolic pressure, arterial line", "mmHg", 0, 20, 375),
	ehr.NewNumber("diastolic_pressure_invasive", "Diastolic pressure, arterial line", "mmHg", 0, 5, 300),
	ehr.NewNumber("mean_pressure_invasive", "Mean pressure, arterial line", "mmHg", 0, 10, 330),
	ehr.NewNumber("systolic_pressure_hourly", "Systolic pressure of the hour, cuff or line", "mmHg", 1, 20, 375),
	ehr.NewNumber("diastolic_pressure_hourly", "Diastolic pressure of the hour, cuff or line", "mmHg", 1, 5, 300),
	ehr.NewNumber("mean_pressure_hourly", "Mean pressure of the hour, cuff or line", "mmHg", 1, 10, 330),
	ehr.NewNumber("systolic_pressure_pulmonary", "Systolic pressure, pulmonary artery", "mmHg", 0, 1, 200),
	ehr.NewNumber("diastolic_pressure_pulmonary", "Diastolic pressure, pulmonary artery", "mmHg", 0, 0, 150),
	ehr.NewNumber("mean_pressure_pulmonary", "Mean pressure, pulmonary artery", "mmHg", 0, 1, 180),
	ehr.NewNumber("central_venous_pressure", "Central venous pressure", "mmHg", 0, -20, 100),
	ehr.NewNumber("wedge_pressure", "Pulmonary artery occlusion pressure", "mmHg", 0, 1, 80),
	ehr.NewNumber("end_tidal_co2", "End-tidal carbon dioxide", "mmHg", 0, 0, 150),
	ehr.NewNumber("intracranial_pressure", "Intracranial pressure", "mmHg", 0, -20, 150),
	ehr.NewNumber("cardiac_output", "Cardiac output", "L/min", 1, 0.3, 25),
	ehr.NewNumber("cardiac_index", "Cardiac index", "L/min/m2", 1, 0.2, 15),
	ehr.NewNumber("systemic_resistance", "Systemic vascular resistance", "dyn*s/cm5", 0, 50, 8000),
	ehr.NewNumber("systemic_resistance_index", "Systemic vascular resistance index", "dyn*s/cm5*m2", 0, 100, 15000),
	ehr.NewNumber("pulmonary_resistance", "Pulmonary vascular resistance", "dyn*s/cm5", 0, 1, 3000),
	ehr.NewNumber("pulmonary_resistance_index", "Pulmonary vascular resistance index", "dyn*s/cm5*m2", 0, 1, 6000),
	ehr.NewNumber("urine", "Urine output of the hour", "mL", 0, 0, 5000),
	{Name: "airway", Title: "Artificial airway", Kind: ehr.Category, Categories: []string{"none", "oral_ett", "nasal_ett", "tracheostomy",
		"double_lumen_tube", "cricothyrotomy", "other"}},
	ehr.NewNumber("fio2", "Fraction of inspired oxygen", "%", 0, 20, 100),
	ehr.NewNumber("oxygen_flow", "Oxygen flow", "L/min", 1, 0, 100),
	ehr.NewNumber("respiratory_rate_patient", "Respiratory rate, patient", "1/min", 0, 0, 120),
	ehr.NewNumber("respiratory_rate_total", "Respiratory rate, patient and ventilator", "1/min", 0, 1, 120),
	ehr.NewNumber("ventilator_rate", "Respiratory rate, set at the ventilator", "1/min", 0, 0, 100),
	ehr.NewNumber("peep", "Positive end-expiratory pressure", "cmH2O", 0, 0, 50),
	ehr.NewNumber("tidal_volume_set", "Tidal volume, set at the ventilator", "mL", 0, 20, 2000),
	ehr.NewNumber("tidal_volume_patient", "Tidal volume, exhaled, patient", "mL", 0, 20, 3000),
	ehr.NewNumber("tidal_volume_machine", "Tidal volume, exhaled, machine", "mL", 0, 20, 3000),
	ehr.NewNumber("minute_volume", "Minute volume, exhaled", "L/min", 1, 0.2, 60),
	ehr.NewNumber("pressure_support", "Pressure support", "cmH2O", 0, 0, 60),
	ehr.NewNumber("mean_airway_pressure", "Mean airway pressure", "cmH2O", 0, 0, 80),
	ehr.NewNumber("peak_pressure", "Peak inspiratory pressure", "cmH2O", 0, 1, 120),
	ehr.NewNumber("plateau_pressure", "Plateau pressure", "cmH2O", 0, 1, 100),
	ehr.NewNumber("glucose", "Glucose, blood", "mg/dL", 0, 5, 2500),
	ehr.NewNumber("sodium", "Sodium", "mmol/L", 0, 80, 200),
	ehr.NewNumber("potassium", "Potassium", "mmol/L", 1, 1, 30),
	ehr.NewNumber("chloride", "Chloride", "mmol/L", 0, 50, 175),
	ehr.NewNumber("bicarbonate", "Bicarbonate", "mmol/L", 0, 1, 70),
	ehr.NewNumber("anion_gap", "Anion gap", "mmol/L", 1, -20, 80),
	ehr.NewNumber("bun", "Blood urea nitrogen", "mg/dL", 0, 0, 300),
	ehr.NewNumber("creatinine", "Creatinine", "mg/dL", 2, 0, 50),
	ehr.NewNumber("calcium", "Calcium, total", "mg/dL", 1, 2, 35),
	ehr.NewNumber("calcium_ionized", "Ionized calcium", "mmol/L", 2, 0.1, 4),
	ehr.NewNumber("magnesium", "Magnesium", "mg/dL", 1, 0.1, 30),
	ehr.NewNumber("phosphate", "Phosphate", "mg/dL", 1, 0.1, 40),
	ehr.NewNumber("albumin", "Albumin", "g/dL", 1, 0.5, 7),
	ehr.NewNumber("protein", "Total protein", "g/dL", 1, 1, 15),
	ehr.NewNumber("alp", "Alkaline phosphatase", "IU/L", 0, 0, 5000),
	ehr.NewNumber("alt", "Alanine aminotransferase", "IU/L", 0, 0, 30000),
	ehr.NewNumber("ast", "Aspartate aminotransferase", "IU/L", 0, 0, 40000),
	ehr.NewNumber("bilirubin", "Bilirubin, total", "mg/dL", 1, 0, 80),
	ehr.NewNumber("bilirubin_direct", "Bilirubin, direct", "mg/dL", 1, 0, 60),
	ehr.NewNumber("ck", "Creatine kinase", "IU/L", 0, 0, 300000),
	ehr.NewNumber("ckmb", "Creatine kinase MB", "ng/mL", 1, 0, 2000),
	ehr.NewNumber("troponin_t", "Troponin T", "ng/mL", 2, 0, 100),
	ehr.NewNumber("troponin_i", "Troponin I", "ng/mL", 2, 0, 500),
	ehr.NewNumber("crp", "C-reactive protein", "mg/L", 1, 0, 1000),
	ehr.NewNumber("lactate", "Lactate", "mmol/L", 1, 0, 40),
	ehr.NewNumber("ph", "pH, blood", "1", 2, 6.3, 8.4),
	ehr.NewNumber("paco2", "Partial pressure of carbon dioxide", "mmHg", 1, 5, 250),
	ehr.NewNumber("pao2", "Partial pressure of oxygen", "mmHg", 1, 10, 800),
	ehr.NewNumber("base_excess", "Base excess", "mmol/L", 1, -50, 50),
	ehr.NewNumber("methemoglobin", "Methemoglobin", "%", 1, 0, 100),
	ehr.NewNumber("hematocrit", "Hematocrit", "%", 1, 5, 75),
	ehr.NewNumber("hemoglobin", "Hemoglobin", "g/dL", 1, 1, 26),
	ehr.NewNumber("rbc", "Red blood cells", "M/uL", 2, 0.3, 10),
	ehr.NewNumber("mch", "Mean corpuscular hemoglobin", "pg", 1, 10, 60),
	ehr.NewNumber("mchc", "Mean corpuscular hemoglobin concentration", "g/dL", 1, 15, 50),
	ehr.NewNumber("mcv", "Mean corpuscular volume", "fL", 1, 40, 160),
	ehr.NewNumber("rdw", "Red cell distribution width", "%", 1, 5, 60),
	ehr.NewNumber("platelets", "Platelets", "K/uL", 0, 0, 3000),
	ehr.NewNumber("wbc", "White blood cells", "K/uL", 1, 0, 700),
	ehr.NewNumber("neutrophils", "Neutrophils", "%", 1, 0, 100),
	ehr.NewNumber("lymphocytes", "Lymphocytes", "%", 1, 0, 100),
	ehr.NewNumber("monocytes", "Monocytes", "%", 1, 0, 100),
	ehr.NewNumber("eosinophils", "Eosinophils", "%", 1, 0, 100),
	ehr.NewNumber("basophils", "Basophils", "%", 1, 0, 100),
	ehr.NewNumber("bands", "Band neutrophils", "%", 1, 0, 100),
	ehr.NewNumber("pt", "Prothrombin time", "s", 1, 5, 200),
	ehr.NewNumber("inr", "International normalized ratio", "1", 1, 0.3, 40),
	ehr.NewNumber("ptt", "Partial thromboplastin time", "s", 1, 10, 250),
	ehr.NewNumber("fibrinogen", "Fibrinogen", "mg/dL", 0, 10, 2500),
}

// airways are the categories of airway as respiratoryCare spells them.
var airways = map[string]float64{"no artificial airway": 0, "oral ett": 1, "nasal ett": 2, "tracheostomy": 3, "double-lumen tube": 4,
	"cricothyrotomy": 5, "other": 6}

// measurements reads measurements.csv. An error is a defect of this package.
func measurements(schema *ehr.Schema) ([]measurement, error) {
	records, err := csv.NewReader(strings.NewReader(measurementsCSV)).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("measurements.csv: %w", err)
	}
	out := make([]measurement, 0, len(records)-1)
	for _, r := range records[1:] {
		variable := schema.VariableIndex(r[2])
		if variable < 0 {
			return nil, fmt.Errorf("measurements.csv: no variable %s", r[2])
		}
		out = append(out, measurement{r[0], r[1], variable, r[3]})
	}
	return out, nil
}

// value is what a number or a text says in the terms of a variable; ok is false where it says nothing.
func (m *measurement) value(def *ehr.Variable, x float64, isNumber bool, text string) (y float64, ok bool) {
	if def.Kind == ehr.Category {
		y, ok = airways[strings.ToLower(text)]
		return y, ok
	}
	if !isNumber {
		return 0, false
	}
	const calciumPerMmol = 4.008 // mg/dL in one mmol/L
	switch m.convert {
	case "fraction":
		if x <= 1 {
			x *= 100
		}
	case "negative":
		x = -math.Abs(x)
	case "calcium":
		// A living body has 0.5 to 2 mmol/L, which is 2 to 8 mg/dL; the unit of the table names mg/dL for both.
		if x > 2.5 {
			x /= calciumPerMmol
		}
	}
	return def.Round(x), true
}
