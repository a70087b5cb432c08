package simulate

import (
	"math"
	"math/rand/v2"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
)

// The measured variables, by their index in the schema: vitals first, then the panels.
const (
	heartRate = iota
	systolic
	diastolic
	respiratoryRate
	saturation
	temperature
	eyeOpening
	oxygenDevice
	fio2
	sodium
	potassium
	bicarbonate
	urea
	creatinine
	glucose
	whiteCells
	haemoglobin
	platelets
	lactate
	ph
	variableCount
)

// The oxygen devices, by their index among the categories.
const (
	roomAir = iota
	nasalCannula
	faceMask
	highFlow
	ventilator
)

func variables() []ehr.Variable {
	number := func(name, title, unit string, decimals int, low, high float64) ehr.Variable {
		return ehr.Variable{Name: name, Title: title, Unit: unit, Kind: ehr.Number, Decimals: decimals, Low: &low, High: &high}
	}
	return []ehr.Variable{
		heartRate:       number("heart_rate", "Heart rate", "/min", 0, 20, 260),
		systolic:        number("systolic_pressure", "Systolic blood pressure", "mmHg", 0, 40, 280),
		diastolic:       number("diastolic_pressure", "Diastolic blood pressure", "mmHg", 0, 15, 180),
		respiratoryRate: number("respiratory_rate", "Respiratory rate", "/min", 0, 4, 70),
		saturation:      number("oxygen_saturation", "Oxygen saturation", "%", 0, 40, 100),
		temperature:     number("temperature", "Body temperature", "Cel", 1, 30, 43),
		eyeOpening: {Name: "gcs_eye_opening", Title: "Glasgow coma scale, eye opening", Kind: ehr.Category,
			Categories: []string{"none", "to pain", "to speech", "spontaneous"}},
		oxygenDevice: {Name: "oxygen_device", Title: "Oxygen device", Kind: ehr.Category,
			Categories: []string{roomAir: "room air", nasalCannula: "nasal cannula", faceMask: "face mask", highFlow: "high flow", ventilator: "ventilator"}},
		fio2:        number("fio2", "Inspired oxygen fraction", "%", 0, 21, 100),
		sodium:      number("sodium", "Sodium", "mmol/L", 0, 100, 180),
		potassium:   number("potassium", "Potassium", "mmol/L", 1, 1.5, 9),
		bicarbonate: number("bicarbonate", "Bicarbonate", "mmol/L", 0, 4, 50),
		urea:        number("urea_nitrogen", "Urea nitrogen", "mg/dL", 0, 1, 250),
		creatinine:  number("creatinine", "Creatinine", "mg/dL", 2, 0.1, 20),
		glucose:     number("glucose", "Glucose", "mg/dL", 0, 20, 1000),
		whiteCells:  number("white_cells", "White cell count", "10*9/L", 1, 0.1, 200),
		haemoglobin: number("haemoglobin", "Haemoglobin", "g/dL", 1, 2, 22),
		platelets:   number("platelets", "Platelets", "10*9/L", 0, 1, 1500),
		lactate:     number("lactate", "Lactate", "mmol/L", 1, 0.2, 30),
		ph:          number("ph", "Arterial pH", "", 2, 6.7, 7.8),
	}
}

// measured is variables once, for rounding and ranges.
var measured = variables()

// response is how one number follows severity x:
//
//	z = centre + slope x + Σ effects of conditions + personal N(0,1) of the person + noise N(0,1);   value = z, or exp z
//
// rounded to the decimals of the variable and held within its range.
type response struct {
	centre, slope, personal, noise float64
	logScale                       bool
	byCond                         []effect
}

// responses has an entry for every number without a rule of its own below.
var responses = [variableCount]response{
	heartRate:       {centre: 82, slope: 11, personal: 9, noise: 6, byCond: []effect{{atrialFibrillation, 8}}},
	systolic:        {centre: 126, slope: -11, personal: 11, noise: 9, byCond: []effect{{hypertension, 9}, {heartFailure, -6}}},
	respiratoryRate: {centre: math.Log(17), slope: 0.13, personal: 0.10, noise: 0.12, logScale: true, byCond: []effect{{lungDisease, 0.10}}},
	temperature:     {centre: 36.8, slope: 0.25, personal: 0.25, noise: 0.30},
	sodium:          {centre: 138.5, slope: -0.5, personal: 2.6, noise: 1.6, byCond: []effect{{cirrhosis, -3}, {heartFailure, -1.5}}},
	potassium:       {centre: 4.1, slope: 0.12, personal: 0.25, noise: 0.28, byCond: []effect{{kidneyDisease, 0.35}}},
	bicarbonate:     {centre: 24.5, slope: -2.0, personal: 1.6, noise: 1.3, byCond: []effect{{lungDisease, 2.5}, {kidneyDisease, -2}}},
	urea:            {centre: math.Log(18), slope: 0.25, personal: 0.28, noise: 0.12, logScale: true, byCond: []effect{{kidneyDisease, 0.65}, {heartFailure, 0.2}}},
	creatinine:      {centre: math.Log(0.95), slope: 0.20, personal: 0.22, noise: 0.09, logScale: true, byCond: []effect{{kidneyDisease, 0.75}}},
	glucose:         {centre: math.Log(118), slope: 0.10, personal: 0.12, noise: 0.15, logScale: true, byCond: []effect{{diabetes, 0.38}}},
	whiteCells:      {centre: math.Log(9.2), slope: 0.20, personal: 0.25, noise: 0.14, logScale: true},
	haemoglobin:     {centre: 12.3, slope: -0.6, personal: 1.3, noise: 0.5, byCond: []effect{{anaemia, -2.4}, {kidneyDisease, -0.6}}},
	platelets:       {centre: math.Log(225), slope: -0.12, personal: 0.28, noise: 0.10, logScale: true, byCond: []effect{{cirrhosis, -0.7}}},
	lactate:         {centre: math.Log(1.5), slope: 0.45, personal: 0.15, noise: 0.22, logScale: true, byCond: []effect{{cirrhosis, 0.3}}},
	ph:              {centre: 7.395, slope: -0.035, personal: 0.02, noise: 0.03, byCond: []effect{{lungDisease, -0.025}}},
}

// constitution is where a person lies among others: one standard normal a variable, the same at every visit.
type constitution [variableCount]float64

// number draws variable v at severity x.
func number(rng *rand.Rand, v int, x float64, p *person) float64 {
	r := &responses[v]
	z := r.centre + r.slope*x + sum(r.byCond, p.has) + r.personal*p.level[v] + r.noise*rng.NormFloat64()
	if r.logScale {
		z = math.Exp(z)
	}
	return held(v, z)
}

// diastolicUnder draws the diastolic pressure: the systolic one less a pulse pressure of
// exp(N(log 48 − 0.06 x + 0.12 level, 0.14²)) and at least 5 mmHg.
func diastolicUnder(rng *rand.Rand, above, x float64, p *person) float64 {
	pulse := math.Exp(math.Log(48) - 0.06*x + 0.12*p.level[diastolic] + 0.14*rng.NormFloat64())
	return held(diastolic, above-math.Max(5, pulse))
}

// saturationAt draws 100 − exp(N(log 3.2 + 0.35 x + 0.5 lung disease + 0.25 level, 0.35²)).
func saturationAt(rng *rand.Rand, x float64, p *person) float64 {
	z := math.Log(3.2) + 0.35*x + 0.25*p.level[saturation] + 0.35*rng.NormFloat64()
	if p.holds(lungDisease) {
		z += 0.5
	}
	return held(saturation, 100-math.Exp(z))
}

// eyeOpeningAt is an ordered logit in 1.5 x + 0.8 dementia: the sicker, the lower.
func eyeOpeningAt(rng *rand.Rand, x float64, p *person) float64 {
	z := 1.5 * x
	if p.holds(dementia) {
		z += 0.8
	}
	return float64(3 - ordered(rng, z, 2.2, 3.6, 5.0))
}

// deviceAt is an ordered logit in 1.7 x + lung disease: the sicker, the more support.
func deviceAt(rng *rand.Rand, x float64, p *person) int {
	z := 1.7 * x
	if p.holds(lungDisease) {
		z++
	}
	return ordered(rng, z, 0.4, 2.2, 3.2, 4.0)
}

// ordered counts the ascending cuts below z plus logistic noise.
func ordered(rng *rand.Rand, z float64, cuts ...float64) int {
	u := rng.Float64()
	z += math.Log(u / (1 - u))
	n := 0
	for n < len(cuts) && z > cuts[n] {
		n++
	}
	return n
}

// fio2On draws the oxygen fraction that goes with a device: 21 % on room air, otherwise steps of what the device can be set
// to, around a centre that rises with severity.
func fio2On(rng *rand.Rand, device int, x float64) float64 {
	z := x + 0.5*rng.NormFloat64()
	step := func(low, high, width, at float64) float64 {
		return min(high, max(low, low+width*math.Round((at-low)/width)))
	}
	switch device {
	case roomAir:
		return 21
	case nasalCannula:
		return step(24, 40, 4, 28+4*z)
	case faceMask:
		return step(35, 60, 5, 42+6*z)
	case highFlow:
		return step(40, 100, 5, 50+10*z)
	default:
		return step(30, 100, 5, 42+10*z)
	}
}

// held rounds to the decimals of the variable and holds within its range.
func held(v int, x float64) float64 {
	d := &measured[v]
	return min(max(d.Round(x), *d.Low), *d.High)
}
