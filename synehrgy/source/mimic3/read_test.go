package mimic3_test

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
	"github.com/synehrgy/synehrgy-go/synehrgy/source/mimic3"
	"github.com/synehrgy/synehrgy-go/synehrgy/source/table"
	"github.com/synehrgy/synehrgy-go/synehrgy/source/table/tabletest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestTheDemoIsReadWholeAndAlike(t *testing.T) {
	dir := tabletest.Folder(t, "mimic-iii-demo-1.4")
	c, r, err := mimic3.Read(t.Context(), dir, tabletest.Options(t))
	require.NoError(t, err)
	require.Len(t, c.Patients, 100)
	require.Equal(t, 129, c.Visits())
	deaths, old, minors, leadingZero, heartRates := 0, 0, 0, 0, 0
	visitsOf := map[int]int{}
	heartRate, procedure := c.Schema.VariableIndex("heart_rate"), c.Schema.SystemIndex("ICD9Proc", ehr.Procedure)
	for i := range c.Patients {
		p := &c.Patients[i]
		visitsOf[len(p.Visits)]++
		for j := range p.Visits {
			v := &p.Visits[j]
			require.Equal(t, j == 0, v.SinceDischarge == ehr.Unknown)
			require.NotEqual(t, ehr.Unknown, v.Stay)
			if on, known := v.Label(c.Schema.Mortality); known && on {
				deaths++
			}
			age, known := v.Covariate(c.Schema.CovariateIndex("age"))
			require.True(t, known)
			if age == 90 {
				old++
			}
			if age < 18 {
				require.Equal(t, 17.0, age)
				minors++
			}
			for _, code := range v.Codes {
				if code.System == procedure && strings.HasPrefix(code.Code, "0") {
					leadingZero++
				}
			}
			for k := range v.Rows {
				if _, known := v.Rows[k].Value(heartRate); known {
					heartRates++
				}
			}
		}
	}
	require.Equal(t, map[int]int{1: 86, 2: 11, 3: 2, 15: 1}, visitsOf)
	require.Equal(t, 40, deaths)
	require.Equal(t, 9, old, "the admissions that compute to an age of 300")
	require.Equal(t, 1, minors)
	require.Equal(t, 33, leadingZero, "34 rows, one of them a repeated code")
	require.Equal(t, 15440, heartRates, "as counted over the files without this package")
	for name, read := range map[string]int64{"PATIENTS": 100, "ADMISSIONS": 129, "DIAGNOSES_ICD": 1761, "PROCEDURES_ICD": 506,
		"CHARTEVENTS": 758355, "LABEVENTS": 76074} {
		k := tabletest.Kept(t, r, name)
		require.Equal(t, read, k.Read, name)
		require.Equal(t, read, k.Kept+r.Lost(name, ""), name)
	}
	require.EqualValues(t, 20, r.Lost("PROCEDURES_ICD", "the code twice in a visit"))

	again, r2, err := mimic3.Read(t.Context(), dir, table.Options{Threads: 1, MemoryLimit: "1GB", Scratch: t.TempDir()})
	require.NoError(t, err)
	require.Equal(t, c, again)
	require.Equal(t, r, r2)
}

const eventHead = "row_id,subject_id,hadm_id,itemid,charttime,value,valuenum"

// folder is a small release: patient 2 has two admissions and a birth date moved by 300 years, patient 3 none.
func folder() map[string]string {
	return map[string]string{
		"patients.csv": "SUBJECT_ID,GENDER,DOB\n2,F,1850-01-01 00:00:00\n3,M,2100-01-01 00:00:00\n",
		"Admissions.csv.gz": "subject_id,hadm_id,admittime,dischtime,edregtime,admission_type,insurance,ethnicity,hospital_expire_flag\n" +
			"2,21,2150-03-01 10:00:30,2150-03-03 10:00:00,,URGENT,Self Pay,UNABLE TO OBTAIN,1\n" +
			"2,20,2150-01-01 10:00:30,2150-01-02 10:00:00,2150-01-01 09:00:30,EMERGENCY,Medicare,BLACK/CAPE VERDEAN,0\n",
		"DIAGNOSES_ICD.csv":  "hadm_id,seq_num,icd9_code\n20,2,0389\n20,1,4019\n20,3,0389\n20,,v08\n20,4,\n99,1,4019\n",
		"PROCEDURES_ICD.csv": "hadm_id,seq_num,icd9_code\n20,1,0066\n20,2,66\n",
		"CHARTEVENTS.csv": eventHead + ",error\n" +
			"1,2,20,223761,2150-01-01 09:00:00,98.6,98.6,0\n" + // Fahrenheit, at minute 0
			"2,2,20,676,2150-01-01 09:30:00,37.5,37.5,\n" +
			"3,2,20,211,2150-01-01 08:59:00,80,80,\n" + // before the visit
			"4,2,20,211,2150-01-02 21:59:00,81,81,\n" + // within the tolerance
			"5,2,20,211,2150-01-02 22:01:00,82,82,\n" + // beyond it
			"6,2,20,211,2150-01-01 12:00:00,83,83,1\n" + // an error
			"7,2,20,220045,2150-01-01 12:00:00,2222221.7,2222221.7,\n" + // impossible
			"9,2,20,220045,2150-01-01 13:00:00,91,91,\n" + // the later row_id wins
			"8,2,20,211,2150-01-01 13:00:00,90,90,\n" +
			"10,2,99,211,2150-01-01 13:00:00,90,90,\n" + // no such admission
			"11,2,20,723,2150-01-01 14:00:00,1.0 ET/Trach,1,\n" +
			"12,2,20,223900,2150-01-01 15:00:00,No Response-ETT,1,\n" +
			"13,2,20,184,2150-01-01 14:00:00,3 To speech,3,\n" +
			"14,2,20,184,2150-01-01 15:00:00,winks,3,\n" + // no category
			"15,2,20,190,2150-01-01 14:00:00,.5,0.5,\n" +
			"16,2,20,223835,2150-01-01 15:00:00,60,60,\n" +
			"17,2,20,211,yesterday,60,60,\n" + // no time
			"18,2,20,742,2150-01-01 15:00:00,1,1,\n" + // not read
			"19,2,20,226531,2150-01-01 15:00:00,200,200,\n" +
			"20,2,20,220621,2150-01-01 15:00:00,100,100,\n",
		"LABEVENTS.csv": eventHead + "\n" +
			"1,2,,50983,2150-03-01 11:00:00,140,140\n" + // under way
			"2,2,,50983,2150-02-01 11:00:00,140,140\n" + // in no admission
			"3,2,20,50931,2150-01-01 15:00:00,110,110\n" + // laboratory after chart
			"4,2,20,51478,2150-01-01 15:00:00,250,250\n" +
			"5,2,20,51237,2150-01-01 15:00:00,1.5,1.5\n" +
			"6,2,20,51274,2150-01-01 15:00:00,GREATER THAN 150,\n",
	}
}

func TestTrapsOfTheRelease(t *testing.T) {
	c, r, err := mimic3.Read(t.Context(), tabletest.Write(t, folder()), tabletest.Options(t))
	require.NoError(t, err)
	require.Len(t, c.Patients, 1)
	require.EqualValues(t, 1, r.Lost("PATIENTS", "no admission"))
	visits := c.Patients[0].Visits
	require.Len(t, visits, 2)
	first, second := &visits[0], &visits[1]
	require.Equal(t, "20", first.ID, "by time, not by line")
	require.Equal(t, ehr.Unknown, first.SinceDischarge)
	require.EqualValues(t, 58*24*60, second.SinceDischarge)
	require.EqualValues(t, 25*60, first.Stay, "from the registration in the emergency department")
	require.Equal(t, []ehr.Label{{Label: 0, On: true}}, second.Labels)
	require.Equal(t, []ehr.Value{{Var: 0, X: 90}, {Var: 1, X: 0}, {Var: 2, X: 1}, {Var: 3, X: 2}, {Var: 4, X: 1}}, first.Covariates)
	require.Equal(t, []ehr.Value{{Var: 0, X: 90}, {Var: 1, X: 0}, {Var: 3, X: 4}, {Var: 4, X: 3}}, second.Covariates)
	require.Equal(t, []ehr.Code{{System: 0, Code: "4019"}, {System: 0, Code: "0389"}, {System: 0, Code: "V08"}, {System: 1, Code: "0066"}, {System: 1, Code: "66"}},
		first.Codes)

	value := func(v *ehr.Visit, at int64, name string) float64 {
		for i := range v.Rows {
			if v.Rows[i].At == at {
				x, _ := v.Rows[i].Value(c.Schema.VariableIndex(name))
				return x
			}
		}
		return math.NaN()
	}
	for _, want := range []struct {
		at   int64
		name string
		x    float64
	}{
		{0, "temperature", 37}, {30, "temperature", 37.5}, {240, "heart_rate", 91}, {300, "gcs_verbal", 5}, {360, "gcs_verbal", 5},
		{300, "gcs_eye", 2}, {300, "fio2", 50}, {360, "fio2", 60}, {360, "weight", 90.7}, {360, "glucose", 110}, {360, "urine_glucose", 250},
		{360, "inr", 1.5}, {36*60 + 59, "heart_rate", 81},
	} {
		require.Equal(t, want.x, value(first, want.at, want.name), "%s at %d", want.name, want.at)
	}
	require.Equal(t, 140.0, value(second, 60, "sodium"))
	for _, d := range []table.Drop{
		{Table: "CHARTEVENTS", Reason: "before the visit", Count: 1},
		{Table: "CHARTEVENTS", Reason: "more than 12 hours after discharge", Count: 1},
		{Table: "CHARTEVENTS", Reason: "marked as an error", Count: 1},
		{Table: "CHARTEVENTS", Reason: "outside the physical range", Count: 1},
		{Table: "CHARTEVENTS", Reason: "a later value of the variable at the same minute", Count: 2},
		{Table: "CHARTEVENTS", Reason: "no such admission", Count: 1},
		{Table: "CHARTEVENTS", Reason: "no number, or no known category", Count: 1},
		{Table: "CHARTEVENTS", Reason: "no time", Count: 1},
		{Table: "CHARTEVENTS", Reason: "a measurement that is not read", Count: 1},
		{Table: "LABEVENTS", Reason: "no hadm_id and in no admission", Count: 1},
		{Table: "LABEVENTS", Reason: "no number, or no known category", Count: 1},
		{Table: "DIAGNOSES_ICD", Reason: "no such admission", Count: 1},
		{Table: "DIAGNOSES_ICD", Reason: "no code", Count: 1},
		{Table: "DIAGNOSES_ICD", Reason: "the code twice in a visit", Count: 1},
		{Table: "covariates", Reason: "not told, or not in a known category", Count: 1},
	} {
		require.Contains(t, r.Dropped, d)
	}
}

func TestBadTablesAreOneSentence(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(map[string]string)
		row    int64
		says   string
	}{
		{"missing table", func(f map[string]string) { delete(f, "LABEVENTS.csv") }, 0, "expected LABEVENTS.csv or LABEVENTS.csv.gz"},
		{"empty table", func(f map[string]string) { f["CHARTEVENTS.csv"] = "" }, 0, "CHARTEVENTS.csv: found an empty file"},
		{"wrong column", func(f map[string]string) { f["patients.csv"] = "subject_id,sex,dob\n" }, 1,
			"patients.csv, row 1: found a header of 3 columns without it, expected a column gender"},
		{"bad date", func(f map[string]string) { f["patients.csv"] += "4,M,32.13.2100\n" }, 4,
			"row 4: found something else in column dob, expected a date and time"},
		{"admission without a patient", func(f map[string]string) {
			f["Admissions.csv.gz"] += "7,22,2150-03-01 10:00:30,2150-03-03 10:00:00,,URGENT,Private,WHITE,1\n"
		}, 4, "row 4: found a subject_id that is not in PATIENTS"},
		{"duplicate admission", func(f map[string]string) {
			f["Admissions.csv.gz"] += "3,21,2150-03-01 10:00:30,2150-03-03 10:00:00,,URGENT,Private,WHITE,1\n"
		}, 4, "row 4: found the hadm_id of an earlier row"},
		{"duplicate patient", func(f map[string]string) { f["patients.csv"] += "2,M,2100-01-01 00:00:00\n" }, 4, "found the subject_id of an earlier row"},
		{"short line", func(f map[string]string) { f["CHARTEVENTS.csv"] += "21,2,20\n" }, 22, "row 22: found another number of fields"},
		{"truncated gzip", func(f map[string]string) {
			packed := string(tabletest.Pack(t, f["CHARTEVENTS.csv"]))
			delete(f, "CHARTEVENTS.csv")
			f["CHARTEVENTS.csv.GZ"] = packed[:len(packed)-9]
		}, 0, "found packed data that break off"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := folder()
			c.change(f)
			_, _, err := mimic3.Read(t.Context(), tabletest.Write(t, f), tabletest.Options(t))
			tabletest.RequireInput(t, err, c.row, c.says)
		})
	}
}
