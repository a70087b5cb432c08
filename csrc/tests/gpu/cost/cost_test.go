package cost

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synehrgy/synehrgy-go/csrc/tests/gpu/page"
	"github.com/synehrgy/synehrgy-go/csrc/tests/gpu/ptxsim"
)

func minimumOf(t *testing.T, line string) minimum {
	t.Helper()
	c, err := parseCall(line)
	require.NoError(t, err)
	m, err := c.minimum()
	require.NoError(t, err)
	return m
}

// By hand: 8192 rows of 384 are 3,145,728 elements.
func TestMinimumOfANorm(t *testing.T) {
	m := minimumOf(t, "norm_forward rows=8192 width=384 branch=1 statistics=1")
	require.Equal(t, minimum{
		read:    25165824 + 3072,  // two floats an element, weight and bias
		written: 18874368 + 65536, // a float and a bf16 an element, two floats a row
		single:  28311552,         // nine operations an element
	}, m)
	alone := minimumOf(t, "norm_forward rows=256 width=384 branch=0 statistics=0")
	require.Equal(t, minimum{read: 393216 + 3072, written: 196608, single: 688128}, alone)

	seconds, arithmetic := devices[0].bound(m) // 44,108,800 bytes at 1,555 GB/s
	require.InDelta(t, 28.3658e-6, seconds, 1e-10)
	require.False(t, arithmetic)
}

// By hand: 8 segments of 1024 have 8 x 1024 x 1025 / 2 = 4,198,400 pairs a head.
func TestMinimumOfAttention(t *testing.T) {
	m := minimumOf(t, "attention_forward rows=8192 segments=8 pairs=4198400 heads=4 kv_heads=4 head_dim=96")
	require.Equal(t, minimum{
		read:    3*6291456 + 32,     // q, k and v in bf16, the offsets
		written: 6291456 + 131072,   // the output, lse
		tensor:  6448742400,         // two products of 2 x 96 operations a pair and head
		single:  50380800 + 3145728, // three a pair and head, one an element
	}, m)
	seconds, arithmetic := devices[0].bound(m) // 6.449e9 at 312 TFLOP/s: longer than 25,296,928 bytes
	require.InDelta(t, 20.669e-6, seconds, 1e-9)
	require.True(t, arithmetic)
	seconds, arithmetic = devices[1].bound(m) // 25,296,928 bytes at 3.35 TB/s: longer than the operations
	require.InDelta(t, 7.5513e-6, seconds, 1e-9)
	require.False(t, arithmetic)

	// Keys and values of 512 positions, 2 x 4 heads of 96 in bf16: 786,432 bytes a record.
	decode := minimumOf(t, "attention_decode rows=2 heads=4 kv_heads=4 head_dim=96 position=512 keys=513")
	require.Equal(t, minimum{read: 2*(4608+8) + 2*786432, written: 2 * (1536 + 768), single: 2 * 4 * 513 * (384 + 2)}, decode)
}

func TestEveryOpIsPublishedAndNothingElse(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range published {
		c, err := parseCall(p.call)
		require.NoError(t, err)
		m, err := c.minimum()
		require.NoError(t, err)
		require.Positive(t, m.bytes(), p.call)
		seen[c.op] = true
	}
	require.Len(t, seen, len(formulas))
	_, err := parseCall("dropout rows=many")
	require.ErrorContains(t, err, "rows=many")
	for line, want := range map[string]string{"dropout rows=1": "width", "transpose rows=1": "transpose"} {
		c, err := parseCall(line)
		require.NoError(t, err)
		_, err = c.minimum()
		require.ErrorContains(t, err, want)
	}
}

func TestABoundIsOfTheDevice(t *testing.T) {
	const norm = "norm_forward rows=8192 width=384 branch=1 statistics=1" // 44,108,800 bytes, 28,311,552 operations
	const attention = "attention_backward rows=8192 segments=8 pairs=4198400 heads=4 kv_heads=4 head_dim=96"
	h200, known := Named("NVIDIA H200")
	require.True(t, known)
	b, err := h200.Bound(norm)
	require.NoError(t, err)
	require.InDelta(t, 9.1893e-6, b.Seconds, 1e-10)
	require.Equal(t, Bound{Bytes: 44108800, Operations: 28311552, Seconds: b.Seconds}, b)
	b, err = h200.Bound(attention)
	require.NoError(t, err)
	require.True(t, b.ByOperations)

	_, known = Named("NVIDIA T4")
	require.False(t, known)
	b, err = Reported(1e9).Bound(attention)
	require.NoError(t, err)
	require.InDelta(t, b.Bytes/1e9, b.Seconds, 1e-12)
	require.False(t, b.ByOperations, "its peaks are not known")
	b, err = Device{}.Bound(norm)
	require.NoError(t, err)
	require.Zero(t, b.Seconds)
	_, err = h200.Bound("dropout rows=1")
	require.ErrorContains(t, err, "width")

	for i, call := range Published() {
		require.Equal(t, published[i].call, call.Text)
		require.Contains(t, []string{"training", "decoding", "evaluation"}, call.Pass)
	}
}

func mangled(name string) string { return fmt.Sprintf("_ZN3syn4cuda%d%sEi", len(name), name) }

// A case and a kernel for every formula; norm_backward has two kernels.
func everything(t *testing.T) ([]counted, []ptxsim.Counts) {
	t.Helper()
	var cases []counted
	var counts []ptxsim.Counts
	for _, p := range published {
		c, err := parseCall(p.call)
		require.NoError(t, err)
		if ownerOf(cases, c.op+"_") >= 0 {
			continue
		}
		m, err := c.minimum()
		require.NoError(t, err)
		read := uint64(m.read)
		if c.op == "norm_backward" {
			read /= 2
			counts = append(counts, ptxsim.Counts{Kernel: mangled("norm_backward_columns"), Launches: 1, Read: read})
		}
		cases = append(cases, counted{call: c})
		counts = append(counts, ptxsim.Counts{Kernel: mangled(c.op + "_rows"), Launches: 1, Read: read, Written: uint64(m.written),
			Sectors: uint64(m.bytes() / 32), LeastSectors: uint64(m.bytes() / 32), Single: 7, Tensor: 3})
	}
	return cases, counts
}

func TestEveryKernelHasACase(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*[]ptxsim.Counts)
		want   string
	}{
		"all is well":    {func(*[]ptxsim.Counts) {}, ""},
		"not launched":   {func(c *[]ptxsim.Counts) { (*c)[0].Launches = 0 }, "is launched by no case"},
		"launched twice": {func(c *[]ptxsim.Counts) { (*c)[0].Launches = 2 }, "2 times"},
		"an instance that no case needs": {func(c *[]ptxsim.Counts) {
			*c = append(*c, ptxsim.Counts{Kernel: strings.Replace((*c)[0].Kernel, "Ei", "ILi4EEEi", 1)})
		}, ""},
		"of no op": {func(c *[]ptxsim.Counts) {
			*c = append(*c, ptxsim.Counts{Kernel: mangled("transpose_tiles"), Launches: 1})
		}, "transpose_tiles belongs to no case"},
	} {
		cases, counts := everything(t)
		c.change(&counts)
		err := assign(cases, counts)
		if c.want == "" {
			require.NoError(t, err, name)
		} else {
			require.ErrorContains(t, err, c.want, name)
		}
	}
}

func TestTrafficThatGrowsIsAFailure(t *testing.T) {
	docs := filepath.Join(t.TempDir(), "cuda.md")
	var empty strings.Builder
	for _, name := range []string{"cost minimum", "cost counted", "cost bound"} {
		empty.WriteString(page.Begin(name) + page.End(name))
	}
	require.NoError(t, os.WriteFile(docs, []byte(empty.String()), 0o600))
	cases, counts := everything(t)
	require.NoError(t, assign(cases, counts))
	require.Error(t, tables(docs, cases, false))
	require.NoError(t, tables(docs, cases, true))
	require.NoError(t, tables(docs, cases, false))

	xent := &cases[ownerOf(cases, "xent_")].kernels[0]
	sectors := xent.Sectors
	xent.Sectors = sectors * 1019 / 1000
	require.NoError(t, tables(docs, cases, false))
	xent.Sectors = sectors * 1021 / 1000
	require.ErrorContains(t, tables(docs, cases, false), "`xent`, `xent_rows`, moved: 1.021, the page says 1.000: it grew by 2.1 %")
	xent.Sectors = sectors / 2
	require.ErrorContains(t, tables(docs, cases, false), "it shrank by 50.0 %")
	xent.Sectors = sectors

	columns := &cases[ownerOf(cases, "norm_backward_")].kernels[0] // one of two: its own row shows it
	columns.Read += columns.Read / 40
	require.ErrorContains(t, tables(docs, cases, false), "`norm_backward_columns`, touched")
	require.Error(t, tables(docs, cases[1:], false))
}

func TestLimits(t *testing.T) {
	require.True(t, memoryBound("xent"))
	require.False(t, memoryBound("attention_backward"))
	cases, counts := everything(t)
	require.NoError(t, assign(cases, counts))
	require.NoError(t, withinLimits(cases))
	xent := &cases[ownerOf(cases, "xent_")].kernels[0]
	xent.Read *= 2 // of 4 bytes read and 2 written
	require.ErrorContains(t, withinLimits(cases), "xent touches 1.67 times the least bytes")
	xent.Read /= 2
	xent.Sectors = 2*xent.LeastSectors + 1
	require.ErrorContains(t, withinLimits(cases), "xent asks for")
	backward := &cases[ownerOf(cases, "attention_backward_")].kernels[0] // operations bound it
	xent.Sectors, backward.Read = xent.LeastSectors, 2*backward.Read
	require.NoError(t, withinLimits(cases))
	tiles := &cases[ownerOf(cases, "nearest_")].kernels[0]
	tiles.Wavefronts = tiles.LeastWavefronts + 1
	require.NoError(t, withinLimits(cases), "its copies have some, and it is not attention")
	backward.Wavefronts++
	require.ErrorContains(t, withinLimits(cases), "attention_backward needs")
}

func TestNumbersAreWritten(t *testing.T) {
	for x, want := range map[float64]string{1: "1.000", 1.0456: "1.046", 12.346: "12.35", 1234: "1234", 0.0123456: "0.01235", 0: "0"} {
		require.Equal(t, want, ratio(x, 1))
	}
	require.Equal(t, none, ratio(5, 0))
	require.Equal(t, "44.11 MB", amount(44108800, "B"))
	require.Equal(t, "512.0 B", amount(512, "B"))
	require.Equal(t, "6.449 G", amount(6448742400, ""))
}
