package eicu_test

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
	"github.com/synehrgy/synehrgy-go/synehrgy/source/eicu"
	"github.com/synehrgy/synehrgy-go/synehrgy/source/table"
	"github.com/synehrgy/synehrgy-go/synehrgy/source/table/tabletest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestTheDemoIsReadWholeAndAlike(t *testing.T) {
	dir := tabletest.Folder(t, "eicu-demo-2.0.1-part1")
	c, r, err := eicu.Read(t.Context(), dir, tabletest.Options(t))
	require.NoError(t, err)
	require.Len(t, c.Patients, 926)
	require.Equal(t, 1110, c.Visits())
	several, deaths, unknown, old, noRows, heartRates := 0, 0, 0, 0, 0, 0
	for i := range c.Patients {
		p := &c.Patients[i]
		if len(p.Visits) > 1 {
			several++
		}
		for j := range p.Visits {
			v := &p.Visits[j]
			require.Equal(t, ehr.Unknown, v.SinceDischarge)
			if on, known := v.Label(c.Schema.Mortality); !known {
				unknown++
			} else if on {
				deaths++
			}
			if age, _ := v.Covariate(c.Schema.CovariateIndex("age")); age == 90 {
				old++
			}
			if len(v.Rows) == 0 {
				noRows++
			}
			for k := range v.Rows {
				if _, known := v.Rows[k].Value(c.Schema.VariableIndex("heart_rate")); known {
					heartRates++
				}
			}
		}
	}
	require.Equal(t, 111, several)
	require.Equal(t, 88, deaths)
	require.Equal(t, 12, unknown)
	require.Positive(t, old)
	require.Positive(t, noRows)
	for name, read := range map[string]int64{"patient": 1263, "diagnosis": 13152, "treatment": 19935, "medication": 37492, "lab": 15511,
		"respiratoryCharting": 96724, "respiratoryCare": 2593, "yaib_hourly": 433280} {
		k := tabletest.Kept(t, r, name)
		require.Equal(t, read, k.Read, name)
		require.Equal(t, read, k.Kept+r.Lost(name, ""), name)
	}
	require.EqualValues(t, 2005, r.Lost("diagnosis", "no code"))
	require.Zero(t, r.Lost("icd9code", "no code of a known form"))
	require.EqualValues(t, valuesOf(c), keptValues(r))
	require.Equal(t, 59185, heartRates, "as counted over the files without this package")

	again, r2, err := eicu.Read(t.Context(), dir, table.Options{Threads: 1, MemoryLimit: "1GB", Scratch: t.TempDir()})
	require.NoError(t, err)
	require.Equal(t, c, again)
	require.Equal(t, r, r2)
}

// valuesOf counts the values of all rows; keptValues is what the report says of them.
func valuesOf(c *ehr.Cohort) (n int) {
	for i := range c.Patients {
		for j := range c.Patients[i].Visits {
			for _, row := range c.Patients[i].Visits[j].Rows {
				n += len(row.Values)
			}
		}
	}
	return n
}

func keptValues(r *table.Report) (n int64) {
	for _, k := range r.Kept {
		switch k.Table {
		case "vitalPeriodic", "vitalAperiodic", "lab", "respiratoryCharting", "respiratoryCare", "yaib_hourly":
			n += k.Kept
		}
	}
	return n
}

// folder is a small one: patient 1 with a hospital stay of two ICU stays (11, 12) and an earlier one (13).
func folder() map[string]string {
	return map[string]string{
		"patient.csv": "patientunitstayid,patienthealthsystemstayid,uniquepid,hospitaladmitoffset,hospitaldischargeoffset,hospitaldischargeyear," +
			"unitvisitnumber,age,gender,ethnicity,unittype,hospitaldischargestatus,admissionheight,admissionweight\n" +
			"12,100,001-1,-1100,1900,2015,2,> 89,Male,Caucasian,MICU,Expired,600,80\n" +
			"11,100,001-1,-100,2900,2015,1,> 89,Male,Caucasian,Neuro ICU,Expired,170,80.25\n" +
			"13,101,001-1,30,500,2014,1,88,Female,Other/Unknown,SICU,,,\n",
		"diagnosis.csv": "diagnosisid,patientunitstayid,diagnosisoffset,icd9code,diagnosispriority\n" +
			"1,11,5,\"428.0, I50.9\",Other\n2,12,9,038.9,Primary\n3,11,6,I50.9,Major\n4,11,7,\"31.1,oddity\",Other\n5,11,8,,Other\n6,11,9,I50.9,Other\n" +
			"7,11,9,\"V08, E980.2, E87.1\",Other\n8,99,1,038.9,Other\n",
		"treatment.csv": "treatmentid,patientunitstayid,treatmentoffset,treatmentstring\n1,11,3,a|b\n2,12,-1000,A|C\n3,12,4,A|B\n",
		"medication.csv": "medicationid,patientunitstayid,drugorderoffset,drugordercancelled,drughiclseqno\n1,11,3,No,1820\n2,11,3,Yes,7\n" +
			"3,11,4,No,\n4,12,1,No,1820\n",
		"vitalPeriodic.csv": "vitalperiodicid,patientunitstayid,observationoffset,heartrate,respiration,sao2,temperature,systemicsystolic," +
			"systemicdiastolic,systemicmean,pasystolic,padiastolic,pamean,cvp,etco2,icp\n1,13,35,88,,,,,,,,,,,,\n2,13,-1,77,fast,,,,,,,,,,,\n",
		"yaib_hourly.csv.gz": "stay_id,time,alb,alp,alt,ast,be,bicar,bili,bili_dir,bnd,bun,ca,cai,ck,ckmb,cl,crea,crp,dbp,fgn,fio2,glu,hgb,hr,inr_pt,k," +
			"lact,lymph,map,mch,mchc,mcv,methb,mg,na,neut,o2sat,pco2,ph,phos,plt,po2,ptt,resp,sbp,temp,tnt,urine,wbc\n" +
			"12,3600" + strings.Repeat(",", 23) + "40" + strings.Repeat(",", 25) + "\n" +
			"13,0" + strings.Repeat(",", 23) + "99" + strings.Repeat(",", 25) + "\n",
		"LAB.csv": "labid,patientunitstayid,labresultoffset,labname,labresult,labresultrevisedoffset\n1,11,-50,pH,735,\n2,11,-50,pH,7.30,10\n" +
			"3,11,-50,PH,7.20,5\n4,11,-101,pH,7.4,\n5,12,1,Ionized Calcium,4.8,\n6,12,1,Base Deficit,3,\n7,12,1,FiO2,0.4,\n8,12,5000,pH,7.4,\n" +
			"9,12,2,pH,,\n10,12,2,hair colour,1,\n",
	}
}

func TestOneClockForAllUnitsOfAHospitalStay(t *testing.T) {
	c, r, err := eicu.Read(t.Context(), tabletest.Write(t, folder()), tabletest.Options(t))
	require.NoError(t, err)
	require.Len(t, c.Patients, 1)
	visits := c.Patients[0].Visits
	require.Len(t, visits, 2)
	require.Equal(t, "101", visits[0].ID, "the earlier year comes first")
	require.EqualValues(t, 500, visits[0].Stay, "the unit came before the hospital: the visit begins there")
	require.EqualValues(t, 3000, visits[1].Stay)
	require.Equal(t, []ehr.Label(nil), visits[0].Labels)
	require.Equal(t, []ehr.Label{{Label: 0, On: true}}, visits[1].Labels)

	value := func(v *ehr.Visit, at int64, name string) float64 {
		for i := range v.Rows {
			if v.Rows[i].At == at {
				x, _ := v.Rows[i].Value(c.Schema.VariableIndex(name))
				return x
			}
		}
		return math.NaN()
	}
	require.Equal(t, 88.0, value(&visits[0], 35, "heart_rate"))
	require.Equal(t, 7.30, value(&visits[1], 50, "ph"), "the latest revision wins")
	require.Equal(t, 1.2, value(&visits[1], 1101, "calcium_ionized"))
	require.Equal(t, -3.0, value(&visits[1], 1101, "base_excess"))
	require.Equal(t, 40.0, value(&visits[1], 1101, "fio2"))
	require.Equal(t, 40.0, value(&visits[1], 1160, "heart_rate"))

	for _, d := range []table.Drop{
		{Table: "lab", Reason: "outside the physical range", Count: 1},
		{Table: "lab", Reason: "a later value of the variable at the same minute", Count: 1},
		{Table: "lab", Reason: "before the visit", Count: 1},
		{Table: "lab", Reason: "more than 12 hours after discharge", Count: 1},
		{Table: "lab", Reason: "no number, or no known category", Count: 1},
		{Table: "lab", Reason: "a measurement that is not read", Count: 1},
		{Table: "vitalPeriodic", Reason: "before the visit", Count: 2},
		{Table: "yaib_hourly", Reason: "the hourly copy of a series that is read", Count: 1},
		{Table: "covariates", Reason: "not told", Count: 2},
	} {
		require.Contains(t, r.Dropped, d)
	}
	age, _ := visits[1].Covariate(c.Schema.CovariateIndex("age"))
	require.Equal(t, 90.0, age)
	height, _ := visits[1].Covariate(c.Schema.CovariateIndex("height"))
	require.Equal(t, 170.0, height, "of the first unit, not of the first line")
	other, _ := visits[0].Covariate(c.Schema.CovariateIndex("ethnicity"))
	require.Equal(t, "other", c.Schema.Covariates[2].Categories[int(other)])
}

func TestCodesAreToldApartOrderedAndOnce(t *testing.T) {
	c, r, err := eicu.Read(t.Context(), tabletest.Write(t, folder()), tabletest.Options(t))
	require.NoError(t, err)
	var got []string
	for _, code := range c.Patients[0].Visits[1].Codes {
		got = append(got, c.Schema.Systems[code.System].Name+":"+code.Code)
	}
	require.Equal(t, []string{"ICD9CM:0389", "ICD10CM:I509", "ICD9CM:4280", "ICD9Proc:311", "ICD9CM:V08", "ICD9CM:E9802", "ICD10CM:E871",
		"eICU:a|c", "eICU:a|b", "HICL:1820"}, got)
	require.Equal(t, table.Keep{Table: "icd9code", Unit: "entries", Read: 10, Kept: 7}, tabletest.Kept(t, r, "icd9code"))
	require.EqualValues(t, 1, r.Lost("diagnosis", "no such stay"))
	require.EqualValues(t, 1, r.Lost("icd9code", "no code of a known form"))
	require.EqualValues(t, 1, r.Lost("medication", "the order was cancelled"))
}

func TestBadTablesAreOneSentence(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(map[string]string)
		row    int64
		says   string
	}{
		{"missing table", func(f map[string]string) { delete(f, "treatment.csv") }, 0, "expected treatment.csv or treatment.csv.gz"},
		{"empty table", func(f map[string]string) { f["diagnosis.csv"] = "" }, 0, "diagnosis.csv: found an empty file"},
		{"wrong column", func(f map[string]string) { f["LAB.csv"] = "labid,patientunitstayid\n" }, 1, "expected a column labresultoffset"},
		{"duplicate stay", func(f map[string]string) {
			f["patient.csv"] += "13,101,001-1,30,500,2014,1,88,Female,Asian,SICU,Alive,,\n"
		}, 5, "found the patientunitstayid of an earlier row"},
		{"stay without a patient", func(f map[string]string) {
			f["patient.csv"] += "14,102,,30,500,2014,1,88,Female,Asian,SICU,Alive,,\n"
		}, 5, "found nothing in column uniquepid"},
		{"hospital stay of two patients", func(f map[string]string) {
			f["patient.csv"] += "14,100,001-2,30,500,2014,1,88,Female,Asian,SICU,Alive,,\n"
		}, 5, "expected one patient for every patienthealthsystemstayid"},
		{"offset that is no number", func(f map[string]string) {
			f["patient.csv"] += "14,102,001-2,noon,500,2014,1,88,Female,Asian,SICU,Alive,,\n"
		}, 5, "found something else in column hospitaladmitoffset, expected an integer"},
		{"diagnosis without a stay", func(f map[string]string) { f["diagnosis.csv"] += "9,,1,038.9,Other\n" }, 10, "found nothing in column patientunitstayid"},
		{"truncated gzip", func(f map[string]string) {
			packed := string(tabletest.Pack(t, f["yaib_hourly.csv.gz"]))
			delete(f, "yaib_hourly.csv.gz")
			f["YAIB_HOURLY.csv.GZ"] = packed[:len(packed)-9]
		}, 0, "found packed data that break off"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := folder()
			c.change(f)
			_, _, err := eicu.Read(t.Context(), tabletest.Write(t, f), tabletest.Options(t))
			tabletest.RequireInput(t, err, c.row, c.says)
		})
	}
}
