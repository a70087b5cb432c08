package monitor

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/synehrgy/synehrgy-go/synehrgy/monitor/nvmltest"
)

// fake is the scripted management library, compiled once a test binary: calls that were bound to one library stay with it until
// the process ends.
var fake struct{ folder, path string }

// oldDriver names, in a process of TestAnOldDriver, the library that lacks functions.
const oldDriver = "SYNEHRGY_TEST_OLD_DRIVER"

func TestMain(m *testing.M) {
	var err error
	if fake.folder, err = os.MkdirTemp("", "nvml-"); err == nil {
		fake.path = filepath.Join(fake.folder, nvmltest.Name)
		err = nvmltest.Compile(fake.path)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if err := os.RemoveAll(fake.folder); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	if err := goleak.Find(); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// captured is a sink that keeps what it gets.
type captured struct {
	mu      sync.Mutex
	samples []Sample
	notices []Notice
}

func (c *captured) Line(v any) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch x := v.(type) {
	case *Sample:
		c.samples = append(c.samples, *x)
	case Notice:
		c.notices = append(c.notices, x)
	default:
		return fmt.Errorf("a line of type %T", v)
	}
	return nil
}

// messages are the notices without their causes.
func (c *captured) messages() []string {
	out := make([]string, len(c.notices))
	for i, n := range c.notices {
		out[i] = n.Message
	}
	return out
}

// script makes the fake driver say what the lines do.
func script(t *testing.T, lines string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "script")
	require.NoError(t, os.WriteFile(path, []byte(lines), 0o600))
	t.Setenv(nvmltest.Script, path)
}

// watched starts a monitor that samples when it is asked alone, on the fake driver, and takes n samples of the devices.
func watched(t *testing.T, lines string, wanted []string, most, n int) (*Monitor, *captured) {
	t.Helper()
	script(t, lines)
	return follow(t, fake.path, wanted, most, n)
}

func follow(t *testing.T, library string, wanted []string, most, n int) (*Monitor, *captured) {
	t.Helper()
	m := Start(Options{Interval: time.Hour, Library: library, Folder: t.TempDir()})
	t.Cleanup(m.Close)
	first := m.Measure() // of the host alone
	require.Empty(t, first.Devices)
	c := &captured{}
	m.Record(c)
	m.Stage("train")
	m.Step(7, 100)
	m.Watch(wanted, most)
	require.GreaterOrEqual(t, n, 2) // the first is taken when the devices are opened, which a Measure waits for
	for range n - 1 {
		m.Measure()
	}
	m.Record(nil)
	require.Len(t, c.samples, n)
	return m, c
}

// told requires a figure.
func told(t *testing.T, d Device, f Figure) float64 {
	t.Helper()
	x, ok := d.Get(f)
	require.True(t, ok, "%s is not told", deviceTable[f].key)
	return x
}

func absent(t *testing.T, d Device, figures ...Figure) {
	t.Helper()
	for _, f := range figures {
		x, ok := d.Get(f)
		require.False(t, ok, "%s is told: %g", deviceTable[f].key, x)
	}
}
