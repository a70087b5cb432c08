package token

// This file holds the grammar of a record as a function: where a token of some class leads from some place. compile.go turns
// it into tables. With the default settings
//
//	record := <s> visit+ </s>
//	visit  := SINCE covariate* label* code* row* STAY
//	row    := GAP value+
//
// and with those of the published tokenizer
//
//	visit  := covariate* </covar> label* </label> code* </code> row* </ts> </adm>
//	row    := value+ GAP
//
// SINCE is "first" for the first visit; the GAP of the first row has tokens of its own (OFFSET); STAY counts from the last
// row, and has other tokens (REST) then than for a visit without rows. Any token decides by its class alone what follows.

// class groups the tokens that share their rule and their successors.
type class = uint16

const (
	classFirst class = iota
	classSince
	classCovariate
	classLabel
	classCode
	classUnknownCode
	classOffset
	classGap
	classValue
	classRest
	classStay
	classEndCovariates
	classEndLabels
	classEndCodes
	classEndRows
	classEndVisit
	classEnd
	classCount
)

var classRule = [classCount]uint8{classCovariate: RuleAscending, classLabel: RuleAscending, classValue: RuleAscending, classCode: RuleUnique}

var classRole = [classCount]uint8{
	classFirst: RoleVisit, classSince: RoleVisit, classCovariate: RoleCovariate, classLabel: RoleLabel,
	classCode: RoleCode, classUnknownCode: RoleCode, classOffset: RoleGap, classGap: RoleGap, classValue: RoleValue,
	classRest: RoleStay, classStay: RoleStay, classEnd: RoleEnd, // the marks are RoleMark, which is 0
}

// place is where in a record we are.
type place int8

const (
	nowhere      place = iota - 1
	atStart            // nothing has been said
	opened             // a visit has begun
	inCovariates       // within the covariates
	inLabels           // the covariates are over
	inCodes            // the labels are over
	inSeries           // the codes are over, no row yet
	rowOpened          // gap first: a gap was said, a value must follow
	inRow              // gap first: within the values of a row
	inFirstRow         // gap last: within the values of the first row
	inLaterRow         // gap last: within the values of a later row
	rowClosed          // gap last: a row is over
	bareOver           // marks: the rows are over, there were none
	rowsOver           // marks: the rows are over
	closing            // marks: the stay was said
	between            // a visit is over
	done
)

// The sections of a visit, as far as they come before the rows.
const (
	sectionCovariates = iota
	sectionLabels
	sectionCodes
	sectionSeries
)

// grammar is the shape of a record.
type grammar struct {
	GrammarConfig
	chunks     bool
	covariates int // how many there are
	labels     int
	variables  int
}

func newGrammar(v *Vocabulary) grammar {
	return grammar{v.config.Grammar, v.config.Overflow == InChunks, len(v.covariates), len(v.schema.Labels), len(v.variables)}
}

// section tells which section a place stands in, -1 when the rows have begun or no visit is open.
func (g *grammar) section(p place) int {
	switch p {
	case opened, inCovariates:
		return sectionCovariates
	case inLabels:
		return sectionLabels
	case inCodes:
		return sectionCodes
	case inSeries:
		return sectionSeries
	case atStart, between:
		if !g.Since { // the first thing said of a visit opens it
			return sectionCovariates
		}
	}
	return -1
}

// reaches tells whether something of a section may be said at a place. Without marks the sections between are just skipped.
func (g *grammar) reaches(p place, section int) bool {
	s := g.section(p)
	return s == section || !g.Marks && s >= 0 && s < section
}

// next returns where a token of a class leads, or nowhere.
func (g *grammar) next(p place, c class) place {
	switch c {
	case classFirst:
		return when(g.Since && p == atStart, opened)
	case classSince:
		return when(g.Since && g.visitOver(p), opened)
	case classEnd:
		return when(g.visitOver(p), done)
	case classCovariate:
		return when(g.reaches(p, sectionCovariates), inCovariates)
	case classLabel:
		return when(g.reaches(p, sectionLabels), inLabels)
	case classCode, classUnknownCode:
		return when(g.reaches(p, sectionCodes), inCodes)
	case classOffset, classGap, classValue:
		if g.Gap == First {
			return g.nextGapFirst(p, c)
		}
		return g.nextGapLast(p, c)
	case classStay:
		return when(g.Stay && (p == bareOver || !g.Marks && g.bare(p)), g.afterStay())
	case classRest:
		return when(g.Stay && (p == rowsOver || !g.Marks && g.afterRows(p)), g.afterStay())
	}
	return g.nextMark(p, c)
}

func (g *grammar) nextMark(p place, c class) place {
	if !g.Marks {
		return nowhere
	}
	switch c {
	case classEndCovariates:
		return when(g.section(p) == sectionCovariates, inLabels)
	case classEndLabels:
		return when(g.section(p) == sectionLabels, inCodes)
	case classEndCodes:
		return when(g.section(p) == sectionCodes, inSeries)
	case classEndRows:
		if g.bare(p) {
			return bareOver
		}
		return when(g.afterRows(p), rowsOver)
	case classEndVisit:
		if g.Stay {
			return when(p == closing, between)
		}
		return when(p == bareOver || p == rowsOver, between)
	}
	return nowhere
}

// firstGap is the class of the gap of the first row.
func (g *grammar) firstGap() class {
	if g.OwnOffset {
		return classOffset
	}
	return classGap
}

func (g *grammar) nextGapFirst(p place, c class) place {
	switch {
	case c == classValue:
		return when(p == rowOpened || p == inRow, inRow)
	case p == inRow:
		return when(c == classGap, rowOpened)
	}
	return when(c == g.firstGap() && g.bare(p), rowOpened)
}

func (g *grammar) nextGapLast(p place, c class) place {
	switch {
	case c == classValue && (p == inFirstRow || g.bare(p)):
		return inFirstRow
	case c == classValue:
		return when(p == rowClosed || p == inLaterRow, inLaterRow)
	case p == inFirstRow:
		return when(c == g.firstGap(), rowClosed)
	}
	return when(c == classGap && p == inLaterRow, rowClosed)
}

// bare tells that the rows could begin or, without any, the visit could end.
func (g *grammar) bare(p place) bool { return g.reaches(p, sectionSeries) }

// afterRows tells that at least one row is complete.
func (g *grammar) afterRows(p place) bool { return p == inRow || p == rowClosed }

func (g *grammar) afterStay() place {
	if g.Marks {
		return closing
	}
	return between
}

// visitOver tells that a visit may be taken as complete.
func (g *grammar) visitOver(p place) bool {
	return p == between || !g.Marks && !g.Stay && (g.bare(p) || g.afterRows(p))
}

// forget tells what the record may say anew after the transition. What was said in a visit is forgotten where the next one
// begins or, when nothing says that, where it ends; the order of values is forgotten by the gap between two rows.
func (g *grammar) forget(c class) uint8 {
	switch c {
	case classFirst, classSince:
		return ForgetOrder | ForgetSeen
	case classOffset, classGap:
		return ForgetOrder
	case classEndVisit:
		if !g.Since {
			return ForgetOrder | ForgetSeen
		}
	case classStay, classRest:
		if !g.Since && !g.Marks {
			return ForgetOrder | ForgetSeen
		}
	}
	return 0
}

// cuttable tells where a record may go on in a new chunk. Nowhere within a row, whose values so far the header does not tell.
// Nor before the labels of a visit are complete, so that a chunk that begins there also replays the end of the visit before.
func (g *grammar) cuttable(p place) bool {
	switch p {
	case inCodes, between:
		return g.chunks
	case rowOpened:
		return g.chunks && g.Gap == First
	case rowClosed:
		return g.chunks && g.Gap == Last
	case opened: // otherwise visits that say nothing could follow each other for ever without a place to cut
		return g.chunks && !g.Stay && !g.Marks
	}
	return false
}

// longestRun returns the most tokens that may pass from a place until a record can be cut.
func (g *grammar) longestRun(p place) int {
	longest := 0
	for c := range class(classCount) {
		q := g.next(p, c)
		if q == nowhere || q == p || q == done {
			continue
		}
		run := 1
		if !g.cuttable(q) {
			run += g.loop(q, c) + g.longestRun(q)
		}
		longest = max(longest, run)
	}
	return longest
}

// loop returns how many more tokens can be said without leaving a place that a token of class c has led to.
func (g *grammar) loop(p place, c class) int {
	n := 0
	for _, list := range []struct {
		class class
		size  int
	}{{classCovariate, g.covariates}, {classLabel, g.labels}, {classValue, g.variables}} {
		if g.next(p, list.class) == p {
			n += list.size
			if list.class == c {
				n--
			}
		}
	}
	return n
}

func when(ok bool, p place) place {
	if ok {
		return p
	}
	return nowhere
}
