package cost

import (
	"fmt"
	"strconv"
	"strings"
)

// This file is the minimum of every op as a formula over the sizes of a call.

// formula is the least that the mathematics of an op needs: every operand read once, every result written once, nothing in between
// stored; additions and products only, of attention the causal half. A term is a product of numbers and sizes, terms are added.
type formula struct {
	op                     string
	read, written          string // bytes
	tensor, single, double string // operations of tensor cores, in fp32, in fp64
}

// The sizes:
//
//	rows, width, ffn, columns, stride, vocab, count   of the operands
//	branch, statistics                                1 where a residual branch is added, where mean and rstd are wanted; else 0
//	tokens, positions                                 different rows of a table that are touched; ids: all of its rows
//	heads, kv_heads, head_dim; segments; pairs        of attention; pairs of a query and a key that it sees, over all segments
//	position, keys                                    of decoding: of the new token; position + 1
//	legal, draw                                       tokens that the grammar allows, over all rows; bytes of a SampleDraw
//	queries, references, neighbours                   rows, rows that they look among, and how many of those each finds
var formulas = []formula{
	{op: "embedding_backward", read: "4 rows width + 4 rows + 4 ids + 4 tokens width", written: "4 tokens width", single: "rows width"},
	{op: "norm_forward", read: "4 rows width + 4 rows width branch + 8 width",
		written: "4 rows width branch + 2 rows width + 8 rows statistics",
		// mean 1, variance 3, (s - mean) rstd w + b 3; residual with its mask 2
		single: "7 rows width + 2 rows width branch"},
	{op: "norm_backward", read: "12 rows width + 8 rows + 12 width", written: "6 rows width + 8 width",
		// n 2, dy w 1, its mean 1, that of dy w n 2, dweight 2, dbias 1, ds 5, mask 1
		single: "15 rows width"},
	{op: "gelu_forward", read: "2 count", written: "2 count", single: "7 count"},
	{op: "gelu_backward", read: "6 count", written: "2 count", single: "15 count"},
	{op: "swiglu_forward", read: "4 rows ffn", written: "2 rows ffn", single: "4 rows ffn"},
	{op: "swiglu_backward", read: "8 rows ffn", written: "4 rows ffn", single: "9 rows ffn"},
	{op: "dropout", read: "4 rows width", written: "4 rows width", single: "rows width"},
	{op: "rope", read: "4 rows stride + 4 rows + 4 positions head_dim", written: "2 rows stride", single: "3 rows heads head_dim"},
	{op: "round", read: "4 count", written: "2 count"},
	{op: "bias_backward", read: "2 rows columns + 4 columns", written: "4 columns", single: "rows columns"},
	{op: "attention_forward", read: "2 rows heads head_dim + 4 rows kv_heads head_dim + 4 segments",
		written: "2 rows heads head_dim + 4 rows heads",
		tensor:  "4 pairs heads head_dim",
		// scale, less the maximum, sum; the division by it
		single: "3 pairs heads + rows heads head_dim"},
	{op: "attention_backward", read: "6 rows heads head_dim + 4 rows kv_heads head_dim + 4 rows heads + 4 segments",
		written: "2 rows heads head_dim + 4 rows kv_heads head_dim",
		// S, dP, dV, dK, dQ
		tensor: "10 pairs heads head_dim",
		// weight from score 2, dS 3; delta
		single: "5 pairs heads + 2 rows heads head_dim"},
	{op: "attention_decode",
		read:    "4 rows heads head_dim + 8 rows kv_heads head_dim + 8 rows + 4 rows kv_heads head_dim position",
		written: "4 rows kv_heads head_dim + 2 rows heads head_dim",
		single:  "4 rows heads head_dim keys + 2 rows heads keys"},
	// less the maximum, to base 2, sum, divided by it
	{op: "xent", read: "4 rows vocab + 4 rows", written: "2 rows vocab + 8 rows", single: "4 rows vocab"},
	{op: "grad_norm", read: "4 count", written: "8", double: "2 count"},
	{op: "adamw", read: "16 count + 8", written: "16 count", single: "13 count"},
	// beside products: gradient, momentum and weight, u, x twice, sums once; scale 1, m 2, u 2, division 1, A x + sum 3, the step 3
	{op: "muon", read: "24 rows columns + 8", written: "20 rows columns", single: "12 rows columns"},
	{op: "sample", read: "4 legal + 2 vocab + draw rows", written: "draw rows", single: "legal"},
	{op: "nearest", read: "4 queries width + 4 references width", written: "8 queries neighbours",
		// a product for each pair, the distance itself for each neighbour
		single: "2 queries references width", double: "3 queries neighbours width"},
}

func formulaOf(op string) (formula, error) {
	for _, f := range formulas {
		if f.op == op {
			return f, nil
		}
	}
	return formula{}, fmt.Errorf("no formula for the op %q", op)
}

// call is one call of an op.
type call struct {
	op    string
	text  string // its sizes as name=value
	sizes map[string]float64
}

// parseCall reads an op and its sizes, like "dropout rows=128 width=384".
func parseCall(line string) (call, error) {
	op, text, _ := strings.Cut(strings.TrimSpace(line), " ")
	c := call{op: op, text: text, sizes: map[string]float64{}}
	for _, word := range strings.Fields(text) {
		name, digits, _ := strings.Cut(word, "=")
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || n < 0 {
			return c, fmt.Errorf("%s: %q is no size", op, word)
		}
		c.sizes[name] = float64(n)
	}
	return c, nil
}

// value of a formula's sum.
func (c call) value(sum string) (float64, error) {
	total := 0.0
	for _, term := range strings.Split(sum, "+") {
		factors := strings.Fields(term)
		if len(factors) == 0 {
			continue
		}
		product := 1.0
		for _, factor := range factors {
			x, known := c.sizes[factor]
			if n, err := strconv.ParseUint(factor, 10, 64); err == nil {
				x, known = float64(n), true
			}
			if !known {
				return 0, fmt.Errorf("%s: the formula %q needs a size that %q lacks: %s", c.op, sum, c.text, factor)
			}
			product *= x
		}
		total += product
	}
	return total, nil
}

// minimum is what a formula gives for a call.
type minimum struct {
	read, written          float64 // bytes
	tensor, single, double float64 // operations
}

func (m minimum) bytes() float64   { return m.read + m.written }
func (m minimum) scalars() float64 { return m.single + m.double }

func (c call) minimum() (m minimum, err error) {
	f, err := formulaOf(c.op)
	if err != nil {
		return m, err
	}
	for _, part := range []struct {
		sum string
		to  *float64
	}{{f.read, &m.read}, {f.written, &m.written}, {f.tensor, &m.tensor}, {f.single, &m.single}, {f.double, &m.double}} {
		if *part.to, err = c.value(part.sum); err != nil {
			return m, err
		}
	}
	return m, nil
}
