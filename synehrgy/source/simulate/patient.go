package simulate

import (
	"math"
	"math/rand/v2"
	"strconv"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
)

// Of the visits and their course; see the package comment.
const (
	persistence = 0.97
	innovation  = 0.10
	mostVisits  = 8
	longStay    = 7 * 24 * 60 // minutes
)

// person is what does not change between visits. Bit k of has is condition k.
type person struct {
	age   int
	male  bool
	has   uint32
	level constitution
}

func (p *person) holds(k int) bool { return p.has>>k&1 == 1 }

// Truth is what lay behind one visit and is not in the record.
type Truth struct {
	Conditions uint32 // bit k is condition k of ConditionLaw
	Burden     int
	Age        int // whole years at the visit
	Reason     int // into the codes of ReasonProbabilities
	Level      float64
	Severity   []float64 // x(0) … x(H)
	Mortality  float64   // the probability with which death was drawn
}

// Final is the severity in the last hour of the stay.
func (t *Truth) Final() float64 { return t.Severity[len(t.Severity)-1] }

// Peak is the highest severity of the stay.
func (t *Truth) Peak() float64 {
	peak := math.Inf(-1)
	for _, x := range t.Severity {
		peak = max(peak, x)
	}
	return peak
}

// Patient draws patient index (from 0) of a seed, and what lay behind each visit. It belongs to no split yet.
func Patient(seed uint64, index int) (ehr.Patient, []Truth) {
	rng := generator(seed, index)
	p := drawPerson(rng)
	b := burden(p.has)
	wanted := 1 + min(poisson(rng, 0.18+0.14*float64(b)), mostVisits-1)
	out := ehr.Patient{ID: strconv.Itoa(index)}
	var truths []Truth
	since, elapsed := ehr.Unknown, int64(0)
	for n := range wanted {
		if n > 0 {
			days := math.Exp(math.Log(110) - 0.07*float64(b) + rng.NormFloat64())
			since = max(60, int64(days*24*60))
			elapsed += since
		}
		visit, truth := drawVisit(rng, &p, p.age+int(elapsed/(60*24*365.25)))
		visit.ID = out.ID + "." + strconv.Itoa(n+1)
		visit.SinceDischarge = since
		elapsed += visit.Stay
		out.Visits, truths = append(out.Visits, visit), append(truths, truth)
		if visit.Labels[mortality].On {
			break
		}
	}
	return out, truths
}

func drawPerson(rng *rand.Rand) person {
	p := person{age: oldest, male: rng.Float64() < maleShare}
	u := rng.Float64()
	for i, share := range agesLaw {
		if u < share {
			p.age = youngest + i
			break
		}
		u -= share
	}
	for k := range conditionCount {
		if rng.Float64() < conditionProbability(k, p.age, p.male, p.has) {
			p.has |= 1 << k
		}
	}
	for v := range p.level {
		p.level[v] = rng.NormFloat64()
	}
	return p
}

func drawVisit(rng *rand.Rand, p *person, age int) (ehr.Visit, Truth) {
	t := Truth{Conditions: p.has, Burden: burden(p.has), Age: age}
	t.Reason = pick(rng, p.has)
	stay := t.drawCourse(rng)
	t.Mortality = MortalityProbability(age, t.Burden, t.Final())
	v := ehr.Visit{Stay: stay}
	v.Covariates = []ehr.Value{{Var: covAge, X: float64(age)}, {Var: covSex, X: male(p.male)}, {Var: covAdmission, X: planned(t.Reason)}}
	v.Codes = drawCodes(rng, p, &t)
	v.Rows = drawRows(rng, p, &t, stay)
	v.Labels = []ehr.Label{{Label: mortality, On: rng.Float64() < t.Mortality}, {Label: longStayLabel, On: stay > longStay}}
	if v.Codes[0].Code == reasons[sepsis].icd10 {
		v.Labels = append(v.Labels, ehr.Label{Label: sepsisLabel, On: true})
	}
	return v, t
}

// drawCourse draws the severity of every hour and returns the stay in minutes.
func (t *Truth) drawCourse(rng *rand.Rand) int64 {
	a, b, offset := decades(t.Age), float64(t.Burden), reasons[t.Reason].offset
	t.Level = -0.55 + 0.05*b + 0.04*a + 0.5*offset + 0.60*rng.NormFloat64()
	x := 0.10 + 0.05*b + 0.06*a + offset + 0.50*rng.NormFloat64()
	hours := math.Exp(math.Log(52) + 0.30*x + 0.03*b + 0.45*rng.NormFloat64())
	stay := int64(min(480, max(8, hours)) * 60)
	t.Severity = make([]float64, 1, stay/60+1)
	t.Severity[0] = x
	for range stay / 60 {
		x = t.Level + persistence*(x-t.Level) + innovation*rng.NormFloat64()
		t.Severity = append(t.Severity, x)
	}
	return stay
}

// pick draws the reason of a visit.
func pick(rng *rand.Rand, has uint32) int {
	var cumulative [reasonCount]float64
	total := 0.0
	for r := range reasons {
		total += math.Exp(reasons[r].score + sum(reasons[r].raisedBy, has))
		cumulative[r] = total
	}
	u := rng.Float64() * total
	for r, c := range cumulative {
		if u < c {
			return r
		}
	}
	return reasonCount - 1
}

func drawCodes(rng *rand.Rand, p *person, t *Truth) []ehr.Code {
	peak := t.Peak()
	codes := []ehr.Code{{System: icd10cm, Code: reasons[t.Reason].icd10}}
	drawItems := func(items []item) {
		for i := range items {
			if rng.Float64() < items[i].probability(peak, p.has, t.Reason) {
				codes = append(codes, ehr.Code{System: items[i].system, Code: items[i].code})
			}
		}
	}
	drawItems(complications)
	for k := range conditions {
		if p.holds(k) {
			codes = append(codes, ehr.Code{System: icd10cm, Code: conditions[k].icd10})
		}
	}
	drawItems(procedures)
	drawItems(drugs)
	return codes
}

func male(m bool) float64 {
	if m {
		return 1
	}
	return 0
}

func planned(reason int) float64 {
	if reasons[reason].elective {
		return 1
	}
	return 0
}

// poisson draws by counting uniform factors until their product falls below e^−mean; for the small means of this package.
func poisson(rng *rand.Rand, mean float64) int {
	floor, product, n := math.Exp(-mean), rng.Float64(), 0
	for product > floor {
		product *= rng.Float64()
		n++
	}
	return n
}
