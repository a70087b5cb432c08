package cost

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/synehrgy/synehrgy-go/csrc/tests/gpu/ptxsim"
)

// This file writes the three tables.

// minimumTable says the formulas, and the sizes of the cases that are counted.
func minimumTable(cases []counted) (string, error) {
	var b strings.Builder
	b.WriteString("| op | bytes read | bytes written | operations | sizes of the case |\n|---|---|---|---|---|\n")
	for _, c := range cases {
		f, err := formulaOf(c.op)
		if err != nil {
			return "", err
		}
		var operations []string
		for _, o := range []struct{ unit, sum string }{{"tensor", f.tensor}, {"fp32", f.single}, {"fp64", f.double}} {
			if o.sum != "" {
				operations = append(operations, o.unit+" `"+o.sum+"`")
			}
		}
		if operations == nil {
			operations = []string{none}
		}
		fmt.Fprintf(&b, "| `%s` | `%s` | `%s` | %s | %s |\n", c.op, f.read, f.written, strings.Join(operations, ", "), c.text)
	}
	return b.String(), nil
}

const none = "–" // nothing to relate to

// countedTable relates what was counted to the minimum: a row an op, and one for each of its kernels where there are several.
func countedTable(cases []counted) (string, error) {
	var b strings.Builder
	b.WriteString("| op | kernel | least bytes | touched | moved | sectors | least operations | tensor | scalar | wavefronts |\n")
	b.WriteString("|---|---|---|---|---|---|---|---|---|---|\n")
	for _, c := range cases {
		m, err := c.minimum()
		if err != nil {
			return "", err
		}
		name := fmt.Sprintf("all %d", len(c.kernels))
		if len(c.kernels) == 1 {
			name = "`" + c.kernels[0].name + "`"
		}
		writeRow(&b, c.op, name, m, total(c.kernels))
		if len(c.kernels) == 1 {
			continue
		}
		for _, k := range c.kernels {
			writeRow(&b, c.op, "`"+k.name+"`", m, k.Counts)
		}
	}
	return b.String(), nil
}

func writeRow(b *strings.Builder, op, kernel string, m minimum, c ptxsim.Counts) {
	f := func(n ...uint64) float64 {
		sum := 0.0
		for _, x := range n {
			sum += float64(x)
		}
		return sum
	}
	fmt.Fprintf(b, "| `%s` | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", op, kernel,
		amount(m.bytes(), "B"),
		ratio(f(c.Read, c.Written), m.bytes()),
		ratio(32*f(c.Sectors), m.bytes()),
		ratio(f(c.Sectors), f(c.LeastSectors)),
		amount(m.tensor+m.scalars(), ""),
		ratio(f(c.Tensor), m.tensor),
		ratio(f(c.Single, c.Double), m.scalars()),
		ratio(f(c.Wavefronts), f(c.LeastWavefronts)))
}

func total(kernels []kernel) (sum ptxsim.Counts) {
	for _, k := range kernels {
		sum.Read += k.Read
		sum.Written += k.Written
		sum.Sectors += k.Sectors
		sum.LeastSectors += k.LeastSectors
		sum.Wavefronts += k.Wavefronts
		sum.LeastWavefronts += k.LeastWavefronts
		sum.Tensor += k.Tensor
		sum.Single += k.Single
		sum.Double += k.Double
	}
	return sum
}

// ratio with four digits, so that a change of two per cent shows in every row.
func ratio(x, least float64) string {
	if least == 0 {
		return none
	}
	x /= least
	if x < 1 {
		return strconv.FormatFloat(x, 'g', 4, 64)
	}
	return digits(x)
}

// digits writes a number from 1 to 9999 with four digits.
func digits(x float64) string {
	decimals := 3 - int(math.Log10(max(x, 1)))
	return strconv.FormatFloat(x, 'f', max(decimals, 0), 64)
}

// amount writes a large number with a prefix of the unit.
func amount(x float64, unit string) string {
	if x == 0 {
		return none
	}
	prefix := 0
	for ; x >= 1000 && prefix < 4; prefix++ {
		x /= 1000
	}
	return strings.TrimSpace(digits(x) + " " + []string{"", "k", "M", "G", "T"}[prefix] + unit)
}

// boundTable says how long each device would take at least for the published shape.
func boundTable() (string, error) {
	var b strings.Builder
	b.WriteString("Time for the minimum: a bound, not a measurement.\n\n| pass | op | bytes | operations |")
	for _, d := range devices {
		b.WriteString(" " + d.Name + " |")
	}
	b.WriteString("\n|---|---|---|---|" + strings.Repeat("---|", len(devices)) + "\n")
	for _, p := range published {
		c, err := parseCall(p.call)
		if err != nil {
			return "", err
		}
		m, err := c.minimum()
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "| %s | `%s` | %s | %s |", p.pass, c.op, amount(m.bytes(), "B"), amount(m.tensor+m.scalars(), ""))
		for _, d := range devices {
			seconds, arithmetic := d.bound(m)
			b.WriteString(" " + strconv.FormatFloat(seconds*1e6, 'f', 2, 64) + " µs")
			if arithmetic {
				b.WriteString(" (operations)")
			}
			b.WriteString(" |")
		}
		b.WriteString("\n")
	}
	return b.String(), nil
}
