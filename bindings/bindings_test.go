//go:build cgo

package bindings

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func device(t *testing.T) Device {
	d, err := DeviceCreate(DeviceParams{Backend: BackendCPU, Threads: 1})
	require.NoError(t, err)
	t.Cleanup(func() { DeviceDestroy(d) })
	return d
}

func smallConfig() ModelConfig {
	c := ModelConfigInit()
	c.Family, c.Vocab, c.Width, c.Layers, c.Heads, c.KVHeads, c.HeadDim, c.FFN, c.Context = GPT2, 11, 32, 1, 2, 2, 16, 64, 8
	return c
}

func model(t *testing.T) Model {
	m, err := ModelCreate(device(t), smallConfig(), 1)
	require.NoError(t, err)
	t.Cleanup(func() { ModelDestroy(m) })
	return m
}

func TestMain(m *testing.M) {
	code := m.Run()
	if n := Live(); code == 0 && n != 0 {
		os.Stderr.WriteString("handles that nobody destroyed: " + strconv.FormatInt(n, 10) + "\n")
		code = 1
	}
	os.Exit(code)
}

// TestLibraryIsTheOneThatWasStamped holds that a library built later makes this package compile again: the stamp in the
// program is the hash of the file it was linked with.
func TestLibraryIsTheOneThatWasStamped(t *testing.T) {
	library, err := os.ReadFile("../build/lib/libsynehrgy.so")
	if err != nil {
		t.Skipf("no library in this tree: %v", err)
	}
	sum := sha256.Sum256(library)
	require.Equal(t, hex.EncodeToString(sum[:]), LibraryStamp, "build again with ./dev build")
}

func TestAnotherABIIsRefusedAndSaysWhichSideIsOld(t *testing.T) {
	require.NoError(t, Compatible())
	require.NoError(t, mismatch(ABIMajor<<16|ABIMinor, ""))
	require.NoError(t, mismatch(ABIMajor<<16|(ABIMinor+1), ""), "a later minor version only adds")
	for _, c := range []struct {
		version uint32
		old     string
	}{{(ABIMajor - 1) << 16, "the library is older"}, {(ABIMajor + 1) << 16, "the program is older"}} {
		err := mismatch(c.version, "abc")
		require.ErrorIs(t, err, ErrABI)
		require.ErrorContains(t, err, c.old)
		require.ErrorContains(t, err, "abc")
	}
}

func TestErrorsHaveTheirCauseAndTheSentenceOfTheCore(t *testing.T) {
	causes := map[Code]error{
		InvalidArgument: ErrInvalid, OutOfMemory: ErrOutOfMemory, Unsupported: ErrUnsupported, NoDevice: ErrNoDevice, Numeric: ErrNumeric,
		IO: ErrIO, Format: ErrFormat, Cancelled: ErrCancelled, ABIMismatch: ErrABI,
	}
	for code, cause := range causes {
		err := error(&Error{Op: "syn_x", Code: code, Msg: "why"})
		for other, otherCause := range causes {
			require.Equal(t, code == other, errors.Is(err, otherCause))
		}
		require.ErrorIs(t, err, cause)
		require.NotEmpty(t, StatusName(code))
	}
	require.NotErrorIs(t, &Error{Code: Internal}, ErrInvalid)
	require.ErrorContains(t, &Error{Op: "syn_x", Code: OutOfMemory, Msg: "no room", Wanted: 7}, "7 bytes")

	c := smallConfig()
	c.KVHeads = 3
	_, err := ModelCreate(device(t), c, 1)
	var e *Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, InvalidArgument, e.Code)
	require.Equal(t, "syn_model_create", e.Op)
	require.NotEmpty(t, e.Msg)
	require.NotEqual(t, StatusName(InvalidArgument), e.Msg, "the text of the core got lost")
}

func TestADeviceThatIsNotThereIsNotReplaced(t *testing.T) {
	d, err := DeviceCreate(DeviceParams{Backend: BackendCUDA})
	if err == nil {
		DeviceDestroy(d)
		t.Skip("this machine has a CUDA device")
	}
	require.ErrorIs(t, err, ErrNoDevice)
	require.ErrorContains(t, err, "there is no CUDA")
}

func TestPhiloxGivesThePublishedWords(t *testing.T) {
	folder, set := os.LookupEnv("SYNEHRGY_GOLDEN")
	if !set {
		folder = "../../shared/golden"
	}
	text, err := os.ReadFile(filepath.Join(folder, "philox.json"))
	if err != nil && !set {
		t.Skipf("%s is missing", filepath.Join(folder, "philox.json"))
	}
	require.NoError(t, err)
	var known struct{ Rows [][3][]string }
	require.NoError(t, json.Unmarshal(text, &known))
	require.NotEmpty(t, known.Rows)
	for _, row := range known.Rows {
		var counter, want [4]uint32
		var key [2]uint32
		words(t, row[0], counter[:])
		words(t, row[1], key[:])
		words(t, row[2], want[:])
		require.Equal(t, want, Philox(counter, key))
	}
}

func words(t *testing.T, hexadecimal []string, to []uint32) {
	require.Len(t, hexadecimal, len(to))
	for i, h := range hexadecimal {
		w, err := strconv.ParseUint(h, 16, 32)
		require.NoError(t, err)
		to[i] = uint32(w)
	}
}

func TestDescriptionIsJSONThatNamesTheVersion(t *testing.T) {
	text, err := Describe()
	require.NoError(t, err)
	var d map[string]any
	require.NoError(t, json.Unmarshal([]byte(text), &d))
	require.Equal(t, Version(), d["version"])
}

// TestLengthsAreCheckedBeforeC holds that no slice shorter than C would read, or write, gets there.
func TestLengthsAreCheckedBeforeC(t *testing.T) {
	m := model(t)
	params := TrainerParamsInit()
	params.MaxSegments, params.MaxTokens = 2, 8
	tr, err := TrainerCreate(m, params)
	require.NoError(t, err)
	defer TrainerDestroy(tr)
	tokens, offsets := []int32{1, 2, 3}, []int32{0, 3}
	for name, call := range map[string]func() error{
		"targets": func() error { _, err := TrainerAccumulate(tr, tokens, tokens[:2], nil, offsets, 0); return err },
		"soft rows": func() error {
			_, err := TrainerAccumulate(tr, tokens, tokens, tokens[:1], offsets, 0)
			return err
		},
		"offsets beyond":  func() error { _, err := TrainerAccumulate(tr, tokens, tokens, nil, []int32{0, 4}, 0); return err },
		"offsets short":   func() error { _, err := TrainerAccumulate(tr, tokens, tokens, nil, []int32{0, 2}, 0); return err },
		"no offsets":      func() error { _, err := TrainerAccumulate(tr, nil, nil, nil, nil, 0); return err },
		"no segment":      func() error { _, err := TrainerAccumulate(tr, nil, nil, nil, []int32{0}, 0); return err },
		"scores":          func() error { return TrainerScore(tr, tokens, tokens, offsets, make([]float64, 2)) },
		"logits":          func() error { return TrainerLogits(tr, tokens, offsets, 11, make([]float32, 32)) },
		"logits overflow": func() error { return TrainerLogits(tr, tokens, offsets, math.MaxInt64/2, make([]float64, 33)) },
		"weight":          func() error { return ModelRead(m, 0, make([]float32, 1)) },
		"weight to write": func() error { return ModelWrite(m, 0, make([]float64, 1)) },
		"weight index":    func() error { return ModelRead(m, 1000, make([]float32, 1)) },
		"state":           func() error { return TrainerRead(tr, StateMoment1, 0, make([]float32, 1)) },
		"soft table":      func() error { return TrainerSoftTargets(tr, make([]int32, Taps), make([]float32, Taps+1)) },
		"neighbours": func() error {
			return Nearest(device(t), make([]float32, 6), 3, make([]float32, 4), 2, 2, 2, false, make([]float32, 6), make([]int32, 5))
		},
		"rows": func() error {
			return Nearest(device(t), make([]float32, 6), 4, make([]float32, 4), 2, 2, 2, false, make([]float32, 8), make([]int32, 8))
		},
		"classes": func() error {
			return BoostFitPredict(BoostParamsInit(), make([]float32, 4), make([]float32, 1), 2, 2, nil, 0, nil)
		},
		"grammar": func() error { _, err := GrammarCreate(&GrammarParams{Vocab: 3, States: 1, Classes: 1}); return err },
		"negative grammar": func() error {
			_, err := GrammarCreate(&GrammarParams{Vocab: -1})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) { require.ErrorIs(t, call(), ErrInvalid) })
	}
}

func TestTensorsAreReadAsTheyWereWritten(t *testing.T) {
	m := model(t)
	for i := range ModelTensors(m) {
		tensor, err := ModelTensor(m, i)
		require.NoError(t, err)
		n := int64(1)
		for _, s := range tensor.Shape {
			n *= s
		}
		require.Equal(t, n, tensor.Count)
		require.Equal(t, len(tensor.Shape) >= 2, tensor.Decay)
		require.True(t, strings.HasPrefix(tensor.Name, "transformer."), tensor.Name)
		want := make([]float32, n)
		for j := range want {
			want[j] = float32(i) + float32(j)/float32(n)
		}
		require.NoError(t, ModelWrite(m, i, want))
		got, wide := make([]float32, n), make([]float64, n)
		require.NoError(t, ModelRead(m, i, got))
		require.NoError(t, ModelRead(m, i, wide))
		require.Equal(t, want, got)
		for j := range wide {
			require.Equal(t, float64(want[j]), wide[j])
		}
	}
}

func TestAStepAllocatesNothingInGo(t *testing.T) {
	params := TrainerParamsInit()
	params.MaxSegments, params.MaxTokens = 2, 8
	tr, err := TrainerCreate(model(t), params)
	require.NoError(t, err)
	defer TrainerDestroy(tr)
	tokens, targets, offsets := []int32{1, 2, 3}, []int32{2, 3, -1}, []int32{0, 3}
	allocs := testing.AllocsPerRun(20, func() {
		if _, err := TrainerAccumulate(tr, tokens, targets, nil, offsets, 0); err != nil {
			t.Error(err)
		}
		if _, err := TrainerApply(tr, 1e-3); err != nil {
			t.Error(err)
		}
	})
	require.Zero(t, allocs)
}
