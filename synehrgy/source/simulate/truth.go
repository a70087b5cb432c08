package simulate

import "math"

// Law is the exact distribution of the chronic conditions over persons, by summation over all ages, both sexes and all 2^16
// sets of conditions. Nothing in it is sampled.
type Law struct {
	Codes      []string    // ICD-10-CM, one a condition
	Prevalence []float64   // P(c_k = 1)
	Pair       [][]float64 // P(c_j = 1 and c_k = 1); the diagonal is the prevalence
	Burden     []float64   // P(B = b), b = 0 … the largest possible
}

// Lift is P(j and k) / (P(j) P(k)): 1 for conditions that know nothing of each other.
func (l *Law) Lift(j, k int) float64 { return l.Pair[j][k] / (l.Prevalence[j] * l.Prevalence[k]) }

// ConditionLaw computes the Law. It visits 73·2·2^17 nodes, about a second of one core.
func ConditionLaw() *Law {
	law := &Law{Codes: make([]string, conditionCount), Prevalence: make([]float64, conditionCount), Pair: make([][]float64, conditionCount)}
	most := 0
	for k := range conditions {
		law.Codes[k] = conditions[k].icd10
		law.Pair[k] = make([]float64, conditionCount)
		most += conditions[k].weight
	}
	law.Burden = make([]float64, most+1)
	joint := jointLaw()
	for has, p := range joint {
		law.Burden[burden(uint32(has))] += p
		for j := range conditionCount {
			if has>>j&1 == 0 {
				continue
			}
			for k := range conditionCount {
				if has>>k&1 == 1 {
					law.Pair[j][k] += p
				}
			}
		}
	}
	for k := range conditionCount {
		law.Prevalence[k] = law.Pair[k][k]
	}
	return law
}

// jointLaw returns the probability of every set of conditions, indexed by its bits.
func jointLaw() []float64 {
	joint := make([]float64, 1<<conditionCount)
	for i, pAge := range ageLaw() {
		spread(joint, youngest+i, true, 0, 0, pAge*maleShare)
		spread(joint, youngest+i, false, 0, 0, pAge*(1-maleShare))
	}
	return joint
}

// spread hands the probability p of the set has of the conditions before k down to the sets of all conditions.
func spread(joint []float64, age int, male bool, k int, has uint32, p float64) {
	if k == conditionCount {
		joint[has] += p
		return
	}
	q := conditionProbability(k, age, male, has)
	spread(joint, age, male, k+1, has, p*(1-q))
	spread(joint, age, male, k+1, has|1<<k, p*q)
}

// MortalityProbability is the chance to die during a visit, given the age at that visit in whole years, the burden and the
// severity in the last hour of the stay.
func MortalityProbability(age, burden int, finalSeverity float64) float64 {
	return sigmoid(-3.3 + 0.40*decades(age) + 0.18*float64(burden) + 2.0*finalSeverity)
}

// SeverityMoments returns mean and variance of the severity after some hours, given that of admission and the level the
// course is heading to.
func SeverityMoments(admission, level float64, hours int) (mean, variance float64) {
	decay := math.Pow(persistence, float64(hours))
	return level + decay*(admission-level), innovation * innovation * (1 - decay*decay) / (1 - persistence*persistence)
}

// ReasonProbabilities returns, by ICD-10-CM code, the chance of each reason of a visit for a person with the given
// conditions; bit k is condition k of ConditionLaw.
func ReasonProbabilities(conditions uint32) (codes []string, p []float64) {
	codes, p = make([]string, len(reasons)), make([]float64, len(reasons))
	total := 0.0
	for r := range reasons {
		codes[r] = reasons[r].icd10
		p[r] = math.Exp(reasons[r].score + sum(reasons[r].raisedBy, conditions))
		total += p[r]
	}
	for r := range p {
		p[r] /= total
	}
	return codes, p
}

// VitalsRate, ChemistryRate, BloodCountRate and BloodGasRate are the orders an hour at a severity.
func VitalsRate(severity float64) float64 { return 0.17 * math.Exp(0.35*severity) }

// ChemistryRate: see VitalsRate.
func ChemistryRate(severity float64) float64 { return 0.030 * math.Exp(0.6*severity) }

// BloodCountRate: see VitalsRate.
func BloodCountRate(severity float64) float64 { return 0.020 * math.Exp(0.5*severity) }

// BloodGasRate: see VitalsRate.
func BloodGasRate(severity float64) float64 { return 0.012 * math.Exp(1.1*severity) }
