package simulate

import "math"

// Ages at the first visit, and the chance to be male.
const (
	youngest, oldest = 18, 90
	ageMean, ageSD   = 64.0, 16.0
	maleShare        = 0.54
)

// condition is one chronic illness: the node k of the graph.
type condition struct {
	icd10     string
	weight    int // into the burden
	alpha     float64
	perDecade float64 // β: log odds for ten years of age
	male      float64 // γ
	raisedBy  []effect
}

// effect is a log odds that another entry adds when it holds.
type effect struct {
	of  int
	add float64
}

// The conditions, in an order in which causes come before their effects.
const (
	smoking = iota
	alcohol
	obesity
	hypertension
	hyperlipidaemia
	diabetes
	lungDisease
	coronaryDisease
	atrialFibrillation
	heartFailure
	kidneyDisease
	anaemia
	cirrhosis
	depression
	dementia
	lungCancer
	conditionCount
)

var conditions = [conditionCount]condition{
	smoking:         {icd10: "F17.210", weight: 0, alpha: -1.5, perDecade: -0.15, male: 0.35},
	alcohol:         {icd10: "F10.20", weight: 1, alpha: -3.1, perDecade: -0.20, male: 0.80, raisedBy: []effect{{smoking, 0.9}}},
	obesity:         {icd10: "E66.9", weight: 0, alpha: -1.6, perDecade: -0.10, male: -0.20},
	hypertension:    {icd10: "I10", weight: 0, alpha: -0.5, perDecade: 0.45, male: 0.05, raisedBy: []effect{{obesity, 0.8}, {alcohol, 0.3}}},
	hyperlipidaemia: {icd10: "E78.5", weight: 0, alpha: -1.1, perDecade: 0.25, male: 0.15, raisedBy: []effect{{obesity, 0.5}, {hypertension, 0.7}}},
	diabetes:        {icd10: "E11.9", weight: 1, alpha: -2.2, perDecade: 0.15, male: 0.20, raisedBy: []effect{{obesity, 1.1}, {hypertension, 0.5}, {hyperlipidaemia, 0.4}}},
	lungDisease:     {icd10: "J44.9", weight: 1, alpha: -2.9, perDecade: 0.25, male: 0.10, raisedBy: []effect{{smoking, 1.8}}},
	coronaryDisease: {icd10: "I25.10", weight: 1, alpha: -2.9, perDecade: 0.40, male: 0.60, raisedBy: []effect{{smoking, 0.6}, {hypertension, 0.5}, {hyperlipidaemia, 0.8}, {diabetes, 0.6}}},
	atrialFibrillation: {icd10: "I48.91", weight: 1, alpha: -3.0, perDecade: 0.60, male: 0.20,
		raisedBy: []effect{{hypertension, 0.4}, {coronaryDisease, 0.4}, {alcohol, 0.4}}},
	heartFailure: {icd10: "I50.9", weight: 2, alpha: -3.6, perDecade: 0.35, male: 0.10,
		raisedBy: []effect{{hypertension, 0.4}, {coronaryDisease, 1.3}, {atrialFibrillation, 1.2}, {diabetes, 0.4}}},
	kidneyDisease: {icd10: "N18.30", weight: 2, alpha: -3.3, perDecade: 0.40, male: 0.05,
		raisedBy: []effect{{hypertension, 0.6}, {diabetes, 0.9}, {heartFailure, 0.9}}},
	anaemia:    {icd10: "D63.1", weight: 1, alpha: -3.9, perDecade: 0.15, male: -0.20, raisedBy: []effect{{kidneyDisease, 2.4}}},
	cirrhosis:  {icd10: "K74.60", weight: 3, alpha: -4.6, perDecade: 0.05, male: 0.20, raisedBy: []effect{{alcohol, 2.7}, {obesity, 0.4}}},
	depression: {icd10: "F32.A", weight: 0, alpha: -1.9, perDecade: -0.15, male: -0.50, raisedBy: []effect{{alcohol, 0.7}, {lungDisease, 0.4}}},
	dementia:   {icd10: "F03.90", weight: 2, alpha: -4.3, perDecade: 0.95, male: -0.15, raisedBy: []effect{{depression, 0.5}, {hypertension, 0.2}}},
	lungCancer: {icd10: "C34.90", weight: 3, alpha: -4.7, perDecade: 0.30, male: 0.15, raisedBy: []effect{{smoking, 1.6}, {lungDisease, 0.8}}},
}

// conditionProbability is P(c_k = 1 | age, sex, c_1 … c_{k−1}).
func conditionProbability(k, age int, male bool, before uint32) float64 {
	c := &conditions[k]
	z := c.alpha + c.perDecade*decades(age)
	if male {
		z += c.male
	}
	return sigmoid(z + sum(c.raisedBy, before))
}

// agesLaw is ageLaw once.
var agesLaw = ageLaw()

// ageLaw returns P(age) for the ages youngest … oldest.
func ageLaw() []float64 {
	law := make([]float64, oldest-youngest+1)
	total := 0.0
	for i := range law {
		d := (float64(youngest+i) - ageMean) / ageSD
		law[i] = math.Exp(-d * d / 2)
		total += law[i]
	}
	for i := range law {
		law[i] /= total
	}
	return law
}

// burden is B of the package comment.
func burden(has uint32) int {
	b := 0
	for k := range conditions {
		if has>>k&1 == 1 {
			b += conditions[k].weight
		}
	}
	return b
}

// sum adds the effects whose condition is in has.
func sum(effects []effect, has uint32) float64 {
	z := 0.0
	for _, e := range effects {
		if has>>e.of&1 == 1 {
			z += e.add
		}
	}
	return z
}

func decades(age int) float64 { return (float64(age) - 65) / 10 }

func sigmoid(z float64) float64 { return 1 / (1 + math.Exp(-z)) }
