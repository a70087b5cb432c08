package simulate

import (
	"cmp"
	"math/rand/v2"
	"slices"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
)

// panel is a set of variables that are ordered together.
type panel struct {
	rate     func(severity float64) float64 // orders an hour
	arrival  bool                           // drawn once more on arrival
	readings []reading
}

// reading is one variable, or a pair of them, that an order yields with some probability.
type reading struct {
	variable int
	share    float64
}

var panels = [...]panel{
	{rate: VitalsRate, readings: []reading{{heartRate, 1}, {systolic, 0.95}, {respiratoryRate, 0.9}, {saturation, 0.9},
		{temperature, 0.35}, {eyeOpening, 0.3}, {oxygenDevice, 0.3}}},
	{rate: ChemistryRate, arrival: true, readings: []reading{{sodium, 0.99}, {potassium, 0.98}, {bicarbonate, 0.96}, {urea, 0.97},
		{creatinine, 0.98}, {glucose, 0.95}}},
	{rate: BloodCountRate, arrival: true, readings: []reading{{whiteCells, 0.98}, {haemoglobin, 1}, {platelets, 0.97}}},
	{rate: BloodGasRate, readings: []reading{{lactate, 0.9}, {ph, 0.97}}},
}

// event is one value at one minute.
type event struct {
	at int64
	ehr.Value
}

// drawRows measures over the stay. Within an hour the number of orders is Poisson and their minutes are uniform, which is a
// Poisson process whose rate changes by the hour.
func drawRows(rng *rand.Rand, p *person, t *Truth, stay int64) []ehr.Row {
	var events []event
	for i := range panels {
		pn := &panels[i]
		if pn.arrival {
			events = pn.measure(rng, p, t, rng.Int64N(60), events)
		}
		for hour := range int64(len(t.Severity)) {
			minutes := min(60, stay-60*hour)
			if minutes <= 0 {
				continue
			}
			for range poisson(rng, pn.rate(t.Severity[hour])*float64(minutes)/60) {
				events = pn.measure(rng, p, t, 60*hour+rng.Int64N(minutes), events)
			}
		}
	}
	return gather(events)
}

// measure appends what one order at a minute yields.
func (pn *panel) measure(rng *rand.Rand, p *person, t *Truth, at int64, events []event) []event {
	x := t.Severity[at/60]
	put := func(v int, value float64) { events = append(events, event{at, ehr.Value{Var: int32(v), X: value}}) }
	for _, r := range pn.readings {
		if r.share < 1 && rng.Float64() >= r.share {
			continue
		}
		switch r.variable {
		case systolic:
			above := number(rng, systolic, x, p)
			put(systolic, above)
			put(diastolic, diastolicUnder(rng, above, x, p))
		case saturation:
			put(saturation, saturationAt(rng, x, p))
		case eyeOpening:
			put(eyeOpening, eyeOpeningAt(rng, x, p))
		case oxygenDevice:
			device := deviceAt(rng, x, p)
			put(oxygenDevice, float64(device))
			put(fio2, fio2On(rng, device, x))
		default:
			put(r.variable, number(rng, r.variable, x, p))
		}
	}
	return events
}

// gather makes rows of events: ascending by minute, then by variable; of two values of one variable in the same minute the
// first drawn stays.
func gather(events []event) []ehr.Row {
	slices.SortStableFunc(events, func(a, b event) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.Var, b.Var)) })
	events = slices.CompactFunc(events, func(a, b event) bool { return a.at == b.at && a.Var == b.Var })
	var rows []ehr.Row
	values := make([]ehr.Value, len(events)) // the rows share one array
	for i, e := range events {
		values[i] = e.Value
		if i == 0 || e.at != events[i-1].at {
			rows = append(rows, ehr.Row{At: e.at, Values: values[i : i+1 : i+1]})
			continue
		}
		last := &rows[len(rows)-1].Values
		*last = values[i-len(*last) : i+1 : i+1]
	}
	return rows
}
