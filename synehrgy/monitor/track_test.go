package monitor

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestRatesAndEnergyOfASecondAndAHalf(t *testing.T) {
	at := time.Unix(1_700_000_000, 0)
	k := newTrack(identity{index: 3})
	r := newReading()
	r.counters[0], r.values[Power] = 1e9, 100
	d, troubles := k.accept(at, r)
	require.Empty(t, troubles)
	absent(t, d, PCIeSent, Energy)

	r = newReading()
	r.counters[0], r.values[Power] = 4e9, 300
	d, _ = k.accept(at.Add(1500*time.Millisecond), r)
	require.Equal(t, 2e9, told(t, d, PCIeSent))
	require.Equal(t, 300.0, k.joules, "200 W on the average for 1.5 s")

	r = newReading()
	r.counters[0] = 1e9 // it began anew
	d, troubles = k.accept(at.Add(2500*time.Millisecond), r)
	absent(t, d, PCIeSent, Power)
	require.Empty(t, troubles)
	require.Equal(t, 300.0, k.joules, "without a power nothing is added")
	require.Equal(t, 3, d.Index)
}

func TestACounterOfEnergyIsNotCountedTwice(t *testing.T) {
	at := time.Unix(1_700_000_000, 0)
	k := newTrack(identity{})
	for i, energy := range []float64{5000, math.NaN(), 5200} {
		r := newReading()
		r.values[Energy], r.values[Power] = energy, 100
		k.accept(at.Add(time.Duration(i)*time.Second), r)
	}
	require.Equal(t, 200.0, k.joules)
}

func TestACounterThatLiesDoesNotSpoilWhatFollows(t *testing.T) {
	at := time.Unix(1_700_000_000, 0)
	k := newTrack(identity{})
	var said []trouble
	for i, energy := range []float64{5000, 9e9, 5100, 40, 70} { // a spike; the driver was loaded anew
		r := newReading()
		r.values[Energy] = energy
		d, troubles := k.accept(at.Add(time.Duration(i)*time.Second), r)
		said = append(said, troubles...)
		_, ok := d.Get(Energy)
		require.Equal(t, i != 1 && i != 3, ok, "%d", i)
	}
	require.Equal(t, 100.0, k.joules, "what a counter says after a fall is the new beginning")
	require.Len(t, said, 2)
	require.Contains(t, said[0].message, "energy_joules of 9e+09, expected at most 20000 more than the 5000 before")
}

func TestWhatThePhraseLeavesOut(t *testing.T) {
	s := Sample{}
	require.Empty(t, s.Phrase())
	d := Device{values: newValues(deviceTable)}
	d.values[Temperature] = 40
	s.Devices = []Device{d}
	require.Equal(t, "GPU, 40 °C", s.Phrase())
}

func TestVisibleDevices(t *testing.T) {
	for text, want := range map[string][]string{
		"": {}, "0": {"0"}, "1, 0": {"1", "0"}, "GPU-8932f937,MIG-2": {"GPU-8932f937", "MIG-2"}, "2,-1,0": {"2"}, "-1": {},
	} {
		t.Setenv("CUDA_VISIBLE_DEVICES", text)
		require.Equal(t, want, Visible(), "%q", text)
	}
}

// broken is a sink that fails.
type broken struct{ calls int }

func (b *broken) Line(any) error { b.calls++; return errors.New("no space left on device") }

func TestTelemetryThatCannotBeWrittenIsSaidOnceAndTheRestGoesOn(t *testing.T) {
	m := Start(Options{Interval: time.Hour})
	defer m.Close()
	m.Measure()
	sink := &broken{}
	m.Record(sink)
	m.Measure()
	m.Measure()
	require.Equal(t, 1, sink.calls)
	require.Len(t, m.Notices(), 1)
	require.Equal(t, "telemetry is no longer written: no space left on device", m.Notices()[0].Message)
	_, ok := m.Latest()
	require.True(t, ok)
}

func TestANilMonitorWatchesNothing(t *testing.T) {
	var m *Monitor
	m.Stage("train")
	m.Step(1, 2)
	m.Watch(nil, 1)
	m.Record(&broken{})
	require.Zero(t, m.Measure())
	require.Empty(t, m.Phrase())
	require.Empty(t, m.Notices())
	m.Close()
}

func TestSamplesComeByThemselves(t *testing.T) {
	m := Start(Options{Interval: 10 * time.Millisecond})
	defer m.Close()
	c := &captured{}
	m.Record(c)
	require.Eventually(t, func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return len(c.samples) >= 3
	}, 10*time.Second, 5*time.Millisecond)
	m.Record(nil)
	n := len(c.samples)
	m.Measure()
	require.Len(t, c.samples, n, "nothing comes after Record returned")
}
