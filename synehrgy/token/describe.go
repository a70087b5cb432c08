package token

import (
	"fmt"
	"strconv"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
)

// This file says what a token means, for people.

var markNames = [...]string{"<s>", "</s>", "</covar>", "</label>", "</code>", "</ts>", "</adm>"}

// Describe says in a few words what a token means.
func (v *Vocabulary) Describe(token int32) string {
	if token < 0 || int(token) >= v.Size() {
		return fmt.Sprintf("no token (%d of %d)", token, v.Size())
	}
	switch m := v.meaning[token]; m.kind {
	case kindFirst:
		return "first visit"
	case kindTime:
		return v.describeTime(m)
	case kindCovariate:
		return v.covariates[m.index].describe(&v.schema.Covariates[m.index], m.bin)
	case kindVariable:
		return v.variables[m.index].describe(&v.schema.Variables[m.index], m.bin)
	case kindLabel:
		if m.bin == 1 {
			return v.schema.Labels[m.index].Name + ": yes"
		}
		return v.schema.Labels[m.index].Name + ": no"
	case kindCode:
		return v.schema.Systems[m.index].Name + " " + v.codes[m.index][m.bin]
	case kindUnknownCode:
		return v.schema.Systems[m.index].Name + " code without a token"
	case kindChunk:
		return [...]string{"goes on among the codes", "goes on within a row", "goes on after a row", "goes on after a visit", "goes on in a visit"}[v.chunkPlace(m.index)]
	case kindVisit:
		if int(m.bin) == v.config.Visits-1 {
			return fmt.Sprintf("visit %d or later", m.bin+1)
		}
		return fmt.Sprintf("visit %d", m.bin+1)
	case kindElapsed:
		return describeElapsed(int(m.bin))
	default:
		return markNames[m.kind]
	}
}

// chunkPlace tells where the chunk of a state goes on, as an index into the words of Describe.
func (v *Vocabulary) chunkPlace(state int32) int {
	switch v.grammar.states()[state] {
	case inCodes:
		return 0
	case rowOpened:
		return 1
	case rowClosed:
		return 2
	case between:
		return 3
	}
	return 4
}

func describeElapsed(bin int) string {
	switch {
	case bin == 0:
		return fmt.Sprintf("less than %d minutes into the visit", elapsedEdges[0])
	case bin == len(elapsedEdges):
		return fmt.Sprintf("%d minutes or more into the visit", elapsedEdges[bin-1])
	}
	return fmt.Sprintf("%d to %d minutes into the visit", elapsedEdges[bin-1], elapsedEdges[bin]-1)
}

func (v *Vocabulary) describeTime(m meaning) string {
	f := &v.times[m.index]
	words := [timeCount]string{
		timeGap: "%s after the row before", timeOffset: "first row %s into the visit", timeSince: "visit begins %s after the last discharge",
		timeRest: "discharge %s after the last row", timeStay: "discharge %s after admission, no rows",
	}
	if m.bin < 0 {
		return fmt.Sprintf(words[m.index], "an unknown time")
	}
	return fmt.Sprintf(words[m.index], f.interval(m.bin))
}

func (f *field) describe(v *ehr.Variable, bin int32) string {
	if f.categories > 0 {
		return f.name + " " + v.Categories[bin]
	}
	return f.name + " " + f.interval(bin)
}

// interval says what a bin holds; the end bins also hold what lies beyond them.
func (f *field) interval(bin int32) string {
	unit := ""
	if f.unit != "" {
		unit = " " + f.unit
	}
	if len(f.Upper) == 0 {
		return "never seen in training"
	}
	show := func(q int64) string { return strconv.FormatFloat(f.number(q), 'f', f.decimals, 64) }
	low, high := f.span(int(bin))
	if low == high {
		return show(low) + unit
	}
	return show(low) + " to " + show(high) + unit
}
