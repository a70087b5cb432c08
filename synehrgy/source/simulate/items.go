package simulate

// The code systems, by their index in the schema.
const (
	icd10cm = iota
	icd10pcs
	atc
)

// item is a complication, procedure or drug: written with probability σ(alpha + perPeak·peak + effects).
type item struct {
	system  int32
	code    string
	alpha   float64
	perPeak float64
	byCond  []effect // of conditions
	because []effect // of reasons
}

func (it *item) probability(peak float64, has uint32, reason int) float64 {
	return sigmoid(it.alpha + it.perPeak*peak + sum(it.byCond, has) + sum(it.because, 1<<reason))
}

// complications follow the reason among the diagnoses.
var complications = []item{
	{icd10cm, "N17.9", -2.6, 1.1, []effect{{kidneyDisease, 1.2}}, []effect{{sepsis, 0.7}, {heartDecompensation, 0.6}}},            // acute kidney failure
	{icd10cm, "J96.01", -3.0, 1.7, []effect{{lungDisease, 0.7}}, []effect{{pneumonia, 1.2}, {lungExacerbation, 1.3}}},             // acute respiratory failure
	{icd10cm, "R65.21", -6.0, 2.0, nil, []effect{{sepsis, 3.2}}},                                                                  // septic shock
	{icd10cm, "E87.1", -2.4, 0.4, []effect{{cirrhosis, 0.9}, {heartFailure, 0.4}}, nil},                                           // hyponatraemia
	{icd10cm, "E87.20", -3.2, 1.4, []effect{{kidneyDisease, 0.5}}, []effect{{sepsis, 0.6}}},                                       // acidosis
	{icd10cm, "D62", -2.9, 0.5, []effect{{anaemia, 0.4}}, []effect{{gutBleeding, 2.6}, {hipFracture, 1.2}, {bypassSurgery, 1.3}}}, // anaemia after blood loss
	{icd10cm, "F05", -3.1, 0.6, []effect{{dementia, 1.8}, {alcohol, 0.7}}, []effect{{hipFracture, 0.7}}},                          // delirium
	{icd10cm, "N39.0", -2.3, 0.1, []effect{{dementia, 0.7}, {diabetes, 0.3}}, []effect{{sepsis, 0.8}}},                            // urinary tract infection
}

var procedures = []item{
	{icd10pcs, "5A1945Z", -4.0, 2.1, nil, []effect{{bypassSurgery, 2.2}, {pneumonia, 0.4}}},                      // mechanical ventilation, 24-96 h
	{icd10pcs, "02HV33Z", -2.9, 1.5, nil, []effect{{sepsis, 0.9}, {bypassSurgery, 1.8}}},                         // central venous line
	{icd10pcs, "5A1D70Z", -5.4, 1.3, []effect{{kidneyDisease, 2.0}}, nil},                                        // intermittent haemodialysis
	{icd10pcs, "30233N1", -3.2, 0.7, []effect{{anaemia, 1.0}}, []effect{{gutBleeding, 2.4}, {hipFracture, 0.9}}}, // red cell transfusion
	{icd10pcs, "4A023N7", -4.2, 0.1, nil, []effect{{infarction, 4.0}, {heartDecompensation, 1.2}}},               // left heart catheter
	{icd10pcs, "027034Z", -5.6, 0.1, nil, []effect{{infarction, 4.8}}},                                           // coronary stent
	{icd10pcs, "0DJ08ZZ", -5.0, 0.2, nil, []effect{{gutBleeding, 5.6}}},                                          // upper endoscopy
	{icd10pcs, "0SRC0J9", -7.0, 0, nil, []effect{{jointReplacement, 10}}},                                        // knee replacement
	{icd10pcs, "0SR90JZ", -7.0, 0, nil, []effect{{hipFracture, 6.8}}},                                            // hip replacement
	{icd10pcs, "021209W", -7.0, 0, nil, []effect{{bypassSurgery, 9.5}}},                                          // coronary bypass, three arteries
}

var drugs = []item{
	{atc, "N02BE01", 0.2, 0.1, nil, []effect{{jointReplacement, 1.0}, {hipFracture, 1.0}}},                                                      // paracetamol
	{atc, "A02BC02", -0.3, 0.4, nil, []effect{{gutBleeding, 2.6}}},                                                                              // pantoprazole
	{atc, "B01AB05", -0.4, 0.1, nil, []effect{{gutBleeding, -2.5}, {jointReplacement, 1.2}, {hipFracture, 1.2}}},                                // enoxaparin
	{atc, "J01CR05", -2.8, 0.6, nil, []effect{{sepsis, 3.2}, {pneumonia, 2.0}}},                                                                 // piperacillin with tazobactam
	{atc, "J01XA01", -3.5, 0.8, nil, []effect{{sepsis, 2.3}}},                                                                                   // vancomycin
	{atc, "C01CA03", -4.4, 2.2, nil, []effect{{sepsis, 1.2}}},                                                                                   // noradrenaline
	{atc, "N01AX10", -4.1, 2.0, nil, []effect{{bypassSurgery, 2.2}}},                                                                            // propofol
	{atc, "C03CA01", -2.4, 0.2, []effect{{heartFailure, 2.0}, {kidneyDisease, 0.5}}, []effect{{heartDecompensation, 2.3}}},                      // furosemide
	{atc, "A10AB01", -3.0, 0.4, []effect{{diabetes, 3.3}}, nil},                                                                                 // insulin
	{atc, "C07AB02", -1.9, -0.2, []effect{{coronaryDisease, 1.2}, {atrialFibrillation, 1.3}, {hypertension, 0.6}}, []effect{{infarction, 1.4}}}, // metoprolol
	{atc, "C10AA05", -2.6, -0.1, []effect{{hyperlipidaemia, 2.8}, {coronaryDisease, 0.8}}, []effect{{infarction, 1.5}, {stroke, 1.2}}},          // atorvastatin
	{atc, "B01AC06", -2.2, 0, []effect{{coronaryDisease, 1.9}}, []effect{{infarction, 3.0}, {stroke, 2.2}, {gutBleeding, -2.0}}},                // aspirin
	{atc, "R03AC02", -3.0, 0.2, []effect{{lungDisease, 2.4}}, []effect{{lungExacerbation, 2.5}}},                                                // salbutamol
	{atc, "N06AB06", -4.2, 0, []effect{{depression, 4.0}}, nil},                                                                                 // sertraline
}
