package report

import (
	"math"
	"strconv"
	"strings"
)

// This file writes numbers for people: three significant digits, a true minus sign, groups of three digits set apart by a
// narrow no-break space, powers of ten in superscript.

const (
	minus = "\u2212"
	group = "\u202f"
)

// decimalsFor is how many digits after the point show x to three significant digits; more than four are not worth reading.
func decimalsFor(x float64) int {
	if x == 0 || math.IsNaN(x) || math.IsInf(x, 0) {
		return 0
	}
	return min(max(2-int(math.Floor(math.Log10(math.Abs(x)))), 0), 4)
}

// number writes x with three significant digits. Between -1 and 1 it writes three decimals, so that shares and scores line
// up in a column.
func number(x float64) string {
	a := math.Abs(x)
	switch {
	case a != 0 && a < 1e-3, a >= 1e9:
		return scientific(x)
	case a == math.Trunc(a):
		return fixed(x, 0)
	case a < 1:
		return fixed(x, max(3, min(decimalsFor(x), 4)))
	}
	return fixed(x, decimalsFor(x))
}

// interval writes the ends of an interval with the decimals of the value it belongs to, "0.91 to 0.94".
func interval(value, low, high float64) string {
	if a := math.Abs(value); a != 0 && a < 1e-3 || a >= 1e9 || value == math.Trunc(value) {
		return number(low) + " to " + number(high)
	}
	decimals := decimalsFor(value)
	if math.Abs(value) < 1 {
		decimals = max(3, decimals)
	}
	return fixed(low, decimals) + " to " + fixed(high, decimals)
}

// count writes a whole number in groups of three digits.
func count(n int64) string { return grouped(strconv.FormatInt(n, 10)) }

// percent writes a share of 1. What is neither none nor all never reads as 0 % or 100 %.
func percent(x float64) string {
	switch p := 100 * x; {
	case p > 0 && p < 0.01:
		return "less than 0.01" + group + "%"
	case p < 100 && p > 99.99:
		return "more than 99.99" + group + "%"
	case p == math.Trunc(p):
		return fixed(p, 0) + group + "%"
	default:
		return fixed(p, min(max(decimalsFor(min(p, 100-p)), 1), 2)) + group + "%"
	}
}

// fixed writes x with that many decimals; what rounds to zero has no sign.
func fixed(x float64, decimals int) string {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return "not finite"
	}
	s := grouped(strconv.FormatFloat(x, 'f', decimals, 64))
	if strings.HasPrefix(s, minus) && !strings.ContainsAny(s, "123456789") {
		return strings.TrimPrefix(s, minus)
	}
	return s
}

// scientific writes "1.24 × 10⁻⁵".
func scientific(x float64) string {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return "not finite"
	}
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(x, 'e', 2, 64), "e")
	n, _ := strconv.Atoi(exponent)
	return strings.Replace(mantissa, "-", minus, 1) + group + "×" + group + power(n)
}

var superscripts = strings.NewReplacer("-", "⁻", "0", "⁰", "1", "¹", "2", "²", "3", "³", "4", "⁴", "5", "⁵", "6", "⁶", "7", "⁷", "8", "⁸", "9", "⁹")

// power writes 10 to the n.
func power(n int) string { return "10" + superscripts.Replace(strconv.Itoa(n)) }

// grouped sets groups of three digits apart in a number of strconv, from five digits before the point on.
func grouped(s string) string {
	sign := ""
	if rest, negative := strings.CutPrefix(s, "-"); negative {
		sign, s = minus, rest
	}
	whole, fraction, point := strings.Cut(s, ".")
	if len(whole) > 4 {
		var b strings.Builder
		for i, digit := range whole {
			if i > 0 && (len(whole)-i)%3 == 0 {
				b.WriteString(group)
			}
			b.WriteRune(digit)
		}
		whole = b.String()
	}
	if point {
		whole += "." + fraction
	}
	return sign + whole
}
