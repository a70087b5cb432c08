package fault

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAFaultIsOneSentence(t *testing.T) {
	cause := errors.New("cause")
	err := &Input{File: "ADMISSIONS.csv", Row: 3, Found: "no date", Expected: "a date", Err: cause}
	require.EqualError(t, err, "ADMISSIONS.csv, row 3: found no date, expected a date")
	require.ErrorIs(t, err, cause)
	require.EqualError(t, &Input{File: "f", Found: "a", Expected: "b"}, "f: found a, expected b")
	var usage *Usage
	require.ErrorAs(t, Usagef("%d slots", 0), &usage)
	require.Equal(t, "0 slots", usage.Message)
}

func TestNearestTakesTheFewestChangesAndTheFirstOfEquals(t *testing.T) {
	known := []string{"batch_tokens", "epochs", "steps", "lr"}
	require.Equal(t, "batch_tokens", Nearest("bacth_tokens", known))
	require.Equal(t, "steps", Nearest("step", known))
	require.Equal(t, "ab", Nearest("a", []string{"ab", "ac"}))
	require.Empty(t, Nearest("a", nil))
	require.Equal(t, 3, editDistance("kitten", "sitting"))
}
