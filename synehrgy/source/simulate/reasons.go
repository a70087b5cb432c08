package simulate

// reason is why a person is admitted: the principal diagnosis of the visit.
type reason struct {
	icd10    string
	score    float64 // softmax score of a person without conditions
	offset   float64 // shifts severity
	elective bool    // planned; the others are emergencies
	raisedBy []effect
}

// The reasons.
const (
	sepsis = iota
	pneumonia
	infarction
	stroke
	gutBleeding
	heartDecompensation
	lungExacerbation
	hipFracture
	jointReplacement
	bypassSurgery
	reasonCount
)

var reasons = [reasonCount]reason{
	sepsis:              {icd10: "A41.9", score: 0.2, offset: 0.70, raisedBy: []effect{{diabetes, 0.4}, {cirrhosis, 0.8}, {dementia, 0.5}, {lungCancer, 0.5}}},
	pneumonia:           {icd10: "J18.9", score: 0.1, offset: 0.30, raisedBy: []effect{{lungDisease, 0.8}, {dementia, 0.7}, {smoking, 0.2}}},
	infarction:          {icd10: "I21.4", score: -0.3, offset: 0.20, raisedBy: []effect{{coronaryDisease, 1.3}, {smoking, 0.4}, {hyperlipidaemia, 0.3}}},
	stroke:              {icd10: "I63.9", score: -0.3, offset: 0.35, raisedBy: []effect{{atrialFibrillation, 1.0}, {hypertension, 0.5}}},
	gutBleeding:         {icd10: "K92.2", score: -0.4, offset: 0.25, raisedBy: []effect{{alcohol, 0.6}, {cirrhosis, 1.3}, {anaemia, 0.6}}},
	heartDecompensation: {icd10: "I50.23", score: -1.9, offset: 0.20, raisedBy: []effect{{heartFailure, 2.6}, {kidneyDisease, 0.4}}},
	lungExacerbation:    {icd10: "J44.1", score: -2.4, offset: 0.25, raisedBy: []effect{{lungDisease, 3.0}}},
	hipFracture:         {icd10: "S72.001A", score: -1.0, offset: -0.15, raisedBy: []effect{{dementia, 1.2}}},
	jointReplacement:    {icd10: "M17.11", score: -0.6, offset: -0.80, elective: true, raisedBy: []effect{{obesity, 0.6}, {dementia, -1.5}}},
	bypassSurgery:       {icd10: "I25.110", score: -2.2, offset: -0.10, elective: true, raisedBy: []effect{{coronaryDisease, 2.3}, {dementia, -1.0}}},
}
