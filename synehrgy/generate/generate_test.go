package generate

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synehrgy/synehrgy-go/synehrgy/checkpoint"
	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
	"github.com/synehrgy/synehrgy-go/synehrgy/engine"
	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
	"github.com/synehrgy/synehrgy-go/synehrgy/token"
	"github.com/synehrgy/synehrgy-go/synehrgy/train"
)

// TestPatientsDoNotDependOnSlotsOrThreads holds that patient i is the same whoever is drawn beside it.
func TestPatientsDoNotDependOnSlotsOrThreads(t *testing.T) {
	model := trained(t, 40)
	want, stats := collect(t, options(device(t, 1), model, 100))
	require.Len(t, want, 100)
	require.Positive(t, stats.Chunked, "no record was longer than the context")
	for threads := 1; threads <= 3; threads++ {
		for _, slots := range []int{1, 8, 64} {
			if slots == 1 && threads > 1 {
				continue // one slot at a time is slow, and threads are covered by the others
			}
			o := options(device(t, threads), model, 100)
			o.Config.Slots = slots
			got, again := collect(t, o)
			require.Equal(t, want, got, "%d slots, %d threads", slots, threads)
			require.Equal(t, stats.Tokens, again.Tokens)
			require.Equal(t, stats.Measured, again.Measured)
			require.InEpsilon(t, stats.MaskedMass, again.MaskedMass, 1e-9)
		}
	}
	every := options(device(t, 2), model, 100)
	every.Config.ReportMaskMass = true
	measured, all := collect(t, every)
	require.Equal(t, want, measured, "what is measured has no part in what is drawn")
	require.Equal(t, all.Draws, all.Measured)
	require.InDelta(t, float64(stats.Draws)/16, float64(stats.Measured), float64(stats.Draws)/100)
	part := options(device(t, 2), model, 20)
	part.First = 37
	got, _ := collect(t, part)
	require.Equal(t, want[37:57], got, "a range out of the middle")
	other := options(device(t, 2), model, 100)
	other.Config.Seed++
	different, _ := collect(t, other)
	require.NotEqual(t, want, different, "another seed")
}

// TestAWindowIsThatOfTheCheckpoint holds that a model generates under the window that it was trained with, the same patients
// whoever is drawn beside them, and other ones where its config.json has none.
func TestAWindowIsThatOfTheCheckpoint(t *testing.T) {
	model := trained(t, 40, func(c *train.Config) { c.Family, c.Window = checkpoint.Llama, 16 })
	want, stats := collect(t, options(device(t, 2), model, 30))
	require.Zero(t, stats.ParseFailures)
	require.Positive(t, stats.Chunked, "no record was longer than the context")
	o := options(device(t, 1), model, 30)
	o.Config.Slots = 3
	got, _ := collect(t, o)
	require.Equal(t, want, got)

	without := filepath.Join(t.TempDir(), "without")
	require.NoError(t, os.CopyFS(without, os.DirFS(model)))
	require.NoError(t, os.Remove(filepath.Join(without, checkpoint.SumsFile)))
	config, err := checkpoint.ReadConfig(filepath.Join(without, engine.ConfigFile))
	require.NoError(t, err)
	require.Equal(t, 16, config.Window)
	config.Window = 0
	require.NoError(t, checkpoint.WriteConfig(filepath.Join(without, engine.ConfigFile), config))
	other, _ := collect(t, options(device(t, 2), without, 30))
	require.NotEqual(t, want, other)
}

// TestInt8IsMeasuredBeforeItDraws holds that its patients are others but as reproducible, and that its cost is small and told.
func TestInt8IsMeasuredBeforeItDraws(t *testing.T) {
	model := trained(t, 40)
	o := options(device(t, 2), model, 50)
	fp32, plain := collect(t, o)
	require.Nil(t, plain.PrecisionCost)
	o.Config.Precision = engine.INT8
	want, stats := collect(t, o)
	require.NotEqual(t, fp32, want)
	require.Zero(t, stats.ParseFailures)
	cost := stats.PrecisionCost
	require.NotNil(t, cost)
	require.EqualValues(t, 32, cost.Records)
	require.Greater(t, cost.Tokens, 32*int64(3))
	require.Positive(t, cost.BitsFP32)
	require.NotZero(t, cost.Change())
	require.InDelta(t, 0, cost.Change(), 0.02, "bits per token")
	o = options(device(t, 1), model, 50)
	o.Config.Precision, o.Config.Slots = engine.INT8, 3
	got, again := collect(t, o)
	require.Equal(t, want, got)
	require.Equal(t, cost, again.PrecisionCost)
	o.Config.Precision = engine.BF16
	_, err := Run(t.Context(), o)
	require.ErrorContains(t, err, `generate.precision is "bf16", expected "fp32" or "int8"`)
}

// TestAHalfCacheIsMeasuredBeforeItDraws holds the same of keys and values in 16 bits, which cost less.
func TestAHalfCacheIsMeasuredBeforeItDraws(t *testing.T) {
	model := trained(t, 40)
	o := options(device(t, 2), model, 50)
	o.Config.KVCache = engine.FP16
	want, stats := collect(t, o)
	require.Zero(t, stats.ParseFailures)
	require.Equal(t, "a cache in fp16", stats.PrecisionCost.Of)
	require.NotZero(t, stats.PrecisionCost.Change())
	require.InDelta(t, 0, stats.PrecisionCost.Change(), 0.001, "bits per token")
	o = options(device(t, 1), model, 50)
	o.Config.KVCache, o.Config.Slots = engine.FP16, 3
	got, _ := collect(t, o)
	require.Equal(t, want, got)
	o.Config.Precision = engine.INT8
	_, both := collect(t, o)
	require.Equal(t, "int8 with a cache in fp16", both.PrecisionCost.Of)
	o.Config.KVCache = engine.BF16
	_, err := Run(t.Context(), o)
	require.ErrorContains(t, err, `generate.kv_cache is "bf16", expected "fp16", or nothing for the numbers of the device`)
}

// TestEveryRecordParses holds that the grammar lets nothing through that is no patient, from a model that knows something
// and from one that knows next to nothing.
func TestEveryRecordParses(t *testing.T) {
	for _, steps := range []int{1, 40} {
		model := trained(t, steps)
		v, err := token.Load(filepath.Join(model, token.FileName))
		require.NoError(t, err)
		o := options(device(t, 2), model, 300)
		o.Config.Slots, o.Config.ReportMaskMass = 64, true
		patients, stats := collect(t, o)
		require.Len(t, patients, 300)
		require.EqualValues(t, 300, stats.Patients)
		require.Zero(t, stats.ParseFailures)
		events, visits := int64(0), int64(0)
		for i, p := range patients {
			require.Equal(t, "s"+strconv.Itoa(i), p.ID)
			require.NoError(t, v.Schema().Check(&p))
			_, err := v.Encode(&p)
			require.NoError(t, err)
			events, visits = events+int64(p.Events()), visits+int64(len(p.Visits))
		}
		require.Equal(t, events, stats.Events)
		require.Equal(t, visits, stats.Visits)
		require.Greater(t, stats.MaskedMass, 0.0)
		require.Less(t, stats.MaskedMass, 1.0)
		require.Equal(t, stats.Draws, stats.Measured)
		require.Greater(t, stats.BitsModel, stats.BitsMasked, "the grammar only takes wrong tokens away")
		require.Greater(t, stats.Tokens, 300*int64(3))
		require.Positive(t, stats.TokensPerSecond)
	}
}

// TestTheLengthLimitClosesRecordsLegally holds that a record is whole even where it had to be short.
func TestTheLengthLimitClosesRecordsLegally(t *testing.T) {
	o := options(device(t, 2), trained(t, 1), 50)
	o.Config.MaxTokens = 40
	patients, stats := collect(t, o)
	require.Len(t, patients, 50)
	require.Positive(t, stats.ClosedByLimit)
	require.LessOrEqual(t, stats.Tokens, int64(50*40))
}

func TestAnErrorOfEmitEndsTheRun(t *testing.T) {
	full := errors.New("the disk is full")
	o := options(device(t, 2), trained(t, 1), 50)
	seen := 0
	o.Emit = func(ehr.Patient) error {
		if seen++; seen == 7 {
			return full
		}
		return nil
	}
	_, err := Run(t.Context(), o)
	require.ErrorIs(t, err, full)
	require.Equal(t, 7, seen)
}

func TestACancelledRunReturnsItsCause(t *testing.T) {
	asked := errors.New("somebody pressed Ctrl-C")
	ctx, cancel := context.WithCancelCause(t.Context())
	o := options(device(t, 2), trained(t, 1), 1000)
	var ids []string
	o.Emit = func(p ehr.Patient) error {
		if ids = append(ids, p.ID); len(ids) == 5 {
			cancel(asked)
		}
		return nil
	}
	stats, err := Run(ctx, o)
	require.ErrorIs(t, err, asked)
	require.Less(t, stats.Patients, int64(1000))
	for i, id := range ids {
		require.Equal(t, "s"+strconv.Itoa(i), id, "what was emitted is in order and without a gap")
	}
}

func TestProgressEndsWhenEverybodyIsDone(t *testing.T) {
	o := options(device(t, 2), trained(t, 1), 30)
	var last Progress
	o.Progress = func(p Progress) {
		require.GreaterOrEqual(t, p.Done, last.Done)
		last = p
	}
	collect(t, o)
	require.EqualValues(t, 30, last.Done)
	require.Zero(t, last.Left)
}

// TestWithoutTheGrammarRecordsFail holds that the readers of generated records would see a sampler without a mask.
func TestWithoutTheGrammarRecordsFail(t *testing.T) {
	o := options(device(t, 2), trained(t, 1), 30)
	o.Config.Unmasked, o.Config.MaxTokens = true, 60
	patients, stats := collect(t, o)
	require.EqualValues(t, 30, stats.Patients)
	require.Positive(t, stats.ParseFailures)
	require.EqualValues(t, 30-stats.ParseFailures, len(patients))
}

func TestWeightsOfAnotherVocabularyAreRefused(t *testing.T) {
	model, other := trained(t, 1), t.TempDir()
	c := &ehr.Cohort{Schema: ehr.Schema{Source: "x", Mortality: -1, Variables: []ehr.Variable{{Name: "a", Kind: ehr.Number}}}}
	c.Patients = []ehr.Patient{{ID: "1", Split: ehr.Train, Visits: []ehr.Visit{{SinceDischarge: ehr.Unknown, Stay: 5,
		Rows: []ehr.Row{{At: 1, Values: []ehr.Value{{Var: 0, X: 3}}}}}}}}
	v, err := token.Fit(c, token.DefaultConfig())
	require.NoError(t, err)
	require.NoError(t, v.Save(filepath.Join(other, token.FileName)))
	for _, name := range []string{engine.ConfigFile, engine.WeightsFile} {
		content, err := os.ReadFile(filepath.Join(model, name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(other, name), content, 0o600))
	}
	o := options(device(t, 1), other, 1)
	o.Emit = func(ehr.Patient) error { return nil }
	_, err = Run(t.Context(), o)
	var input *fault.Input
	require.ErrorAs(t, err, &input)
	require.Contains(t, input.Found, "another vocabulary")
	o.Model = filepath.Join(other, "nowhere")
	_, err = Run(t.Context(), o)
	require.ErrorAs(t, err, &input)
}
