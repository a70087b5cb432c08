package challenge2012

import "github.com/synehrgy/synehrgy-go/synehrgy/ehr"

// descriptor says where a general descriptor goes: the covariate of that index, less offset where it is a category.
type descriptor struct {
	covariate int32
	offset    float64
}

// descriptors are the rows that stand at 00:00 before every measurement. RecordID is not among them: it is the name of the
// visit.
var descriptors = map[string]descriptor{"Age": {0, 0}, "Gender": {1, 0}, "Height": {2, 0}, "Weight": {3, 0}, "ICUType": {4, 1}}

func covariates() []ehr.Variable {
	return []ehr.Variable{
		ehr.NewNumber("age", "Age (90 stands for older)", "years", 0, 0, 90),
		{Name: "gender", Title: "Gender", Kind: ehr.Category, Categories: []string{"female", "male"}},
		ehr.NewNumber("height", "Height", "cm", 1, 50, 250),
		ehr.NewNumber("weight", "Weight on admission", "kg", 1, 20, 400),
		{Name: "icu_type", Title: "Type of intensive care unit", Kind: ehr.Category,
			Categories: []string{"coronary", "cardiac_surgery", "medical", "surgical"}},
	}
}

// measured are the series, in the alphabetical order of their names in the files. The ranges are wide: they shut out what no
// living body shows (a pH of 735, a heart rate of 0), not what is rare.
var measured = []struct {
	parameter string
	variable  ehr.Variable
}{
	{"ALP", ehr.NewNumber("alp", "Alkaline phosphatase", "IU/L", 0, 1, 5000)},
	{"ALT", ehr.NewNumber("alt", "Alanine transaminase", "IU/L", 0, 1, 30000)},
	{"AST", ehr.NewNumber("ast", "Aspartate transaminase", "IU/L", 0, 1, 40000)},
	{"Albumin", ehr.NewNumber("albumin", "Albumin", "g/dL", 1, 0.5, 7)},
	{"BUN", ehr.NewNumber("bun", "Blood urea nitrogen", "mg/dL", 0, 0, 300)},
	{"Bilirubin", ehr.NewNumber("bilirubin", "Bilirubin", "mg/dL", 1, 0, 80)},
	{"Cholesterol", ehr.NewNumber("cholesterol", "Cholesterol", "mg/dL", 0, 10, 1000)},
	{"Creatinine", ehr.NewNumber("creatinine", "Serum creatinine", "mg/dL", 1, 0, 50)},
	{"DiasABP", ehr.NewNumber("diastolic_pressure_invasive", "Invasive diastolic arterial pressure", "mmHg", 0, 5, 300)},
	{"FiO2", ehr.NewNumber("fio2", "Fraction of inspired oxygen", "1", 3, 0.2, 1)},
	{"GCS", ehr.NewNumber("gcs_total", "Glasgow coma scale", "1", 0, 3, 15)},
	{"Glucose", ehr.NewNumber("glucose", "Serum glucose", "mg/dL", 0, 5, 2500)},
	{"HCO3", ehr.NewNumber("bicarbonate", "Serum bicarbonate", "mmol/L", 0, 1, 70)},
	{"HCT", ehr.NewNumber("hematocrit", "Hematocrit", "%", 1, 5, 75)},
	{"HR", ehr.NewNumber("heart_rate", "Heart rate", "1/min", 0, 10, 350)},
	{"K", ehr.NewNumber("potassium", "Serum potassium", "mmol/L", 1, 1, 30)},
	{"Lactate", ehr.NewNumber("lactate", "Lactate", "mmol/L", 1, 0, 40)},
	{"MAP", ehr.NewNumber("mean_pressure_invasive", "Invasive mean arterial pressure", "mmHg", 0, 10, 330)},
	{"MechVent", ehr.Variable{Name: "mechanical_ventilation", Title: "Mechanical ventilation", Kind: ehr.Category, Categories: []string{"on"}}},
	{"Mg", ehr.NewNumber("magnesium", "Serum magnesium", "mmol/L", 1, 0.1, 15)},
	{"NIDiasABP", ehr.NewNumber("diastolic_pressure", "Non-invasive diastolic arterial pressure", "mmHg", 0, 5, 300)},
	{"NIMAP", ehr.NewNumber("mean_pressure", "Non-invasive mean arterial pressure", "mmHg", 2, 10, 330)},
	{"NISysABP", ehr.NewNumber("systolic_pressure", "Non-invasive systolic arterial pressure", "mmHg", 0, 20, 375)},
	{"Na", ehr.NewNumber("sodium", "Serum sodium", "mmol/L", 0, 80, 200)},
	{"PaCO2", ehr.NewNumber("paco2", "Arterial partial pressure of carbon dioxide", "mmHg", 0, 5, 250)},
	{"PaO2", ehr.NewNumber("pao2", "Arterial partial pressure of oxygen", "mmHg", 0, 10, 800)},
	{"Platelets", ehr.NewNumber("platelets", "Platelets", "K/uL", 0, 0, 3000)},
	{"RespRate", ehr.NewNumber("respiratory_rate", "Respiration rate", "1/min", 0, 1, 120)},
	{"SaO2", ehr.NewNumber("oxygen_saturation", "Oxygen saturation of haemoglobin", "%", 0, 20, 100)},
	{"SysABP", ehr.NewNumber("systolic_pressure_invasive", "Invasive systolic arterial pressure", "mmHg", 0, 20, 375)},
	{"Temp", ehr.NewNumber("temperature", "Temperature", "degC", 1, 20, 45)},
	{"TroponinI", ehr.NewNumber("troponin_i", "Troponin I", "ug/L", 1, 0, 200)},
	{"TroponinT", ehr.NewNumber("troponin_t", "Troponin T", "ug/L", 2, 0, 100)},
	{"Urine", ehr.NewNumber("urine", "Urine output since the previous value", "mL", 0, 0, 12000)},
	{"WBC", ehr.NewNumber("wbc", "White blood cells", "K/uL", 1, 0, 700)},
	{"Weight", ehr.NewNumber("weight", "Weight", "kg", 1, 20, 400)},
	{"pH", ehr.NewNumber("ph", "Arterial pH", "1", 2, 6.3, 8.4)},
}

// newSchema is the schema of every cohort of this package, and the index of a variable by its name in the files.
func newSchema() (ehr.Schema, map[string]int32) {
	s := ehr.Schema{Source: "challenge2012", Covariates: covariates(), Labels: []ehr.LabelDef{{Name: "in_hospital_death"}}, Mortality: 0}
	index := make(map[string]int32, len(measured))
	for i, m := range measured {
		s.Variables = append(s.Variables, m.variable)
		index[m.parameter] = int32(i)
	}
	return s, index
}
