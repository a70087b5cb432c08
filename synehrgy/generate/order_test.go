package generate

import (
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
)

func TestPatientsPassInOrderWhateverOrderTheyFinishIn(t *testing.T) {
	const first, n, window = 1000, 500, 16
	random := rand.New(rand.NewPCG(1, 2))
	o := newOrder(first, window)
	var passed []int64
	emit := func(p *ehr.Patient) error {
		passed = append(passed, p.Visits[0].Stay)
		return nil
	}
	waiting, submitted := []int64{}, int64(first)
	for o.next < first+n {
		for submitted < min(first+n, o.next+window) {
			waiting = append(waiting, submitted)
			submitted++
		}
		i := random.IntN(len(waiting))
		index := waiting[i]
		waiting = append(waiting[:i], waiting[i+1:]...)
		p := &ehr.Patient{Visits: []ehr.Visit{{Stay: index}}}
		if index%7 == 0 { // did not parse
			p = nil
		}
		require.NoError(t, o.put(index, p, emit))
	}
	want := []int64{}
	for i := int64(first); i < first+n; i++ {
		if i%7 != 0 {
			want = append(want, i)
		}
	}
	require.Equal(t, want, passed)
}

func TestAPatientComesOnceAndWithinTheWindow(t *testing.T) {
	emit := func(*ehr.Patient) error { return nil }
	o := newOrder(10, 4)
	require.NoError(t, o.put(11, nil, emit))
	require.Error(t, o.put(11, nil, emit), "twice")
	require.Error(t, o.put(9, nil, emit), "before the first")
	require.Error(t, o.put(14, nil, emit), "beyond the window")
	require.NoError(t, o.put(10, nil, emit))
	require.EqualValues(t, 12, o.next)
	require.NoError(t, o.put(15, nil, emit))
	failed := errors.New("failed")
	require.ErrorIs(t, o.put(12, &ehr.Patient{}, func(*ehr.Patient) error { return failed }), failed)
}

func TestSettingsThatMakeNoSenseAreNamed(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"slots":       func(c *Config) { c.Slots = 0 },
		"max_tokens":  func(c *Config) { c.MaxTokens = 1 },
		"temperature": func(c *Config) { c.Temperature = 0 },
		"top_k":       func(c *Config) { c.TopK = -1 },
		"top_p":       func(c *Config) { c.TopP = 0 },
		"min_p":       func(c *Config) { c.MinP = 1 },
	} {
		c := DefaultConfig()
		require.NoError(t, c.Validate())
		change(&c)
		var usage *fault.Usage
		require.ErrorAs(t, c.Validate(), &usage)
		require.Contains(t, usage.Message, "generate."+name)
	}
	require.Error(t, checkRange(-1, 1))
	require.Error(t, checkRange(1<<48, 1))
	require.NoError(t, checkRange(1<<48-1, 1))
}
