package generate

import (
	"context"
	"math"
	"strings"

	"github.com/synehrgy/synehrgy-go/synehrgy/engine"
	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
)

// This file measures what drawing in fewer bits costs, before a run that does.

// PrecisionCost compares the model as it draws with the model as it was trained on records that were drawn for it and thrown away.
// The mean of BitsFP32 - BitsDrawn is the divergence of the one from the other, which is what fewer bits add to those that a token
// of a record takes; no patient is needed for it.
type PrecisionCost struct {
	Of        string  `json:"of"` // what has fewer bits
	Records   int64   `json:"records"`
	Tokens    int64   `json:"tokens"`
	BitsDrawn float64 `json:"bits_drawn"` // mean -log2 p per token under the model as it draws
	BitsFP32  float64 `json:"bits_fp32"`  // the same of the same tokens in fp32
}

// Change is the bits per token that fewer bits add.
func (c *PrecisionCost) Change() float64 { return c.BitsFP32 - c.BitsDrawn }

// narrowed says what is kept or computed in fewer bits than the model was trained in, "" for nothing.
func (c *Config) narrowed() string {
	var parts []string
	if c.Precision == engine.INT8 {
		parts = append(parts, "int8")
	}
	if c.KVCache == engine.FP16 {
		parts = append(parts, "a cache in fp16")
	}
	return strings.Join(parts, " with ")
}

// trialRecords is how many records are drawn: enough that their tokens tell the change, which differs little from one to the
// next, to the third decimal.
const trialRecords = 32

func precisionCost(ctx context.Context, m *engine.Model, g *engine.Grammar, c Config) (*PrecisionCost, error) {
	positions := m.Config().Context
	o := c.engine()
	o.Slots, o.MaxTokens, o.ReportMass = trialRecords, min(o.MaxTokens, positions), true // a record is one chunk
	generator, err := engine.NewGenerator(m, g, o)
	if err != nil {
		return nil, err
	}
	defer generator.Close()
	if err := generator.Submit(0, trialRecords); err != nil {
		return nil, err
	}
	scorer, err := engine.NewTrainer(m, engine.TrainerOptions{MaxSegments: 1, MaxTokens: positions, Inference: true})
	if err != nil {
		return nil, err
	}
	defer scorer.Close()
	out, nats := &PrecisionCost{Of: c.narrowed()}, [2]float64{}
	var record engine.Record
	for out.Records < trialRecords {
		stats, err := generator.Run(ctx, burst)
		if err != nil {
			return nil, err
		}
		nats[0] -= stats.LogpModel
		for {
			ok, err := generator.Take(&record)
			if err != nil {
				return nil, err
			}
			if !ok {
				break
			}
			score, err := scoreRecord(ctx, scorer, record.Tokens)
			if err != nil {
				return nil, err
			}
			nats[1] += score
			out.Records++
			out.Tokens += int64(len(record.Tokens)) - 1
		}
	}
	n := float64(out.Tokens) * math.Ln2
	out.BitsDrawn, out.BitsFP32 = nats[0]/n, nats[1]/n
	return out, nil
}

// scoreRecord is -log p of a record after its start token, in nats.
func scoreRecord(ctx context.Context, t *engine.Trainer, tokens []int32) (sum float64, err error) {
	n := len(tokens)
	b := engine.Batch{Tokens: tokens, Targets: append(append([]int32{}, tokens[1:]...), -1), Offsets: []int32{0, int32(n)}}
	nll := make([]float64, n)
	if err := t.Score(ctx, &b, nll); err != nil {
		return 0, err
	}
	for _, x := range nll {
		sum += x
	}
	return sum, nil
}

// precisionOn is the precision that is meant on a backend.
func precisionOn(b engine.Backend, p engine.Precision) (engine.Precision, error) {
	if b.GPU() {
		return p.On(b)
	}
	if err := checkPrecision(p); err != nil {
		return "", err
	}
	return p.On(b)
}

func checkPrecision(p engine.Precision) error {
	if p != "" && p != engine.FP32 && p != engine.INT8 {
		return fault.Usagef("generate.precision is %q, expected %q or %q", p, engine.FP32, engine.INT8)
	}
	return nil
}
