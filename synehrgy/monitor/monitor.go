package monitor

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// Options says what to watch.
type Options struct {
	Interval time.Duration // from sample to sample; 0: a second
	Folder   string        // whose file system is watched; empty: none
	Log      *slog.Logger  // gets the notices; may be nil
	Library  string        // management library of NVIDIA; empty: the driver's own
}

// patience is how long a run waits for a sample that it asks for at the beginning and the end of a stage.
const patience = 2 * time.Second

// Monitor takes samples until it is closed. A nil Monitor is one that watches nothing: every method may be called.
type Monitor struct {
	o      Options
	began  time.Time
	watch  chan request
	ask    chan chan struct{}
	stop   chan struct{}
	done   chan struct{}
	closed sync.Once

	mu      sync.Mutex
	stage   string
	step    int64
	steps   int64
	latest  *Sample
	phrase  string
	said    map[string]bool
	notices []Notice

	sinkMu sync.Mutex
	sink   Sink

	// Of the goroutine that samples alone.
	host   *hostReader
	driver driver
	tracks []*track
}

// request asks for devices: the words of CUDA_VISIBLE_DEVICES (nil: all), and how many of them.
type request struct {
	wanted []string
	most   int
}

// Start begins to sample the host; Watch adds devices.
func Start(o Options) *Monitor {
	if o.Interval <= 0 {
		o.Interval = time.Second
	}
	m := &Monitor{
		o: o, began: time.Now(), watch: make(chan request, 1), ask: make(chan chan struct{}), stop: make(chan struct{}), done: make(chan struct{}),
		said: map[string]bool{}, host: newHostReader(o.Folder),
	}
	go m.loop()
	return m
}

// Watch begins to sample the first most devices of those that CUDA sees, wanted as Visible returns it. It does not wait. Where
// there is no driver, or none that talks, a notice says so.
func (m *Monitor) Watch(wanted []string, most int) {
	if m == nil {
		return
	}
	select {
	case m.watch <- request{wanted, most}:
	default: // it was asked for already
	}
}

// Close ends the sampling. A driver that does not answer is left behind.
func (m *Monitor) Close() {
	if m == nil {
		return
	}
	m.closed.Do(func() { close(m.stop) })
	select {
	case <-m.done:
	case <-time.After(patience):
	}
}

// Stage says what the run does from now on.
func (m *Monitor) Stage(name string) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stage, m.step, m.steps = name, 0, 0
}

// Step says how far the stage is.
func (m *Monitor) Step(done, total int64) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.step, m.steps = done, total
}

// Record sends samples and notices to a sink from now on; nil sends them nowhere. When it returns, nothing is under way to the
// sink that was there before.
func (m *Monitor) Record(sink Sink) {
	if m == nil {
		return
	}
	m.sinkMu.Lock()
	defer m.sinkMu.Unlock()
	m.sink = sink
}

// Measure takes a sample now and returns it. A driver that does not answer in time costs two seconds and is said once; the
// sample is then the newest there is.
func (m *Monitor) Measure() Sample {
	if m == nil {
		return Sample{}
	}
	limit := time.NewTimer(patience)
	defer limit.Stop()
	taken := make(chan struct{})
	select {
	case m.ask <- taken:
		select {
		case <-taken:
		case <-limit.C:
			m.silent()
		}
	case <-m.done:
	case <-limit.C:
		m.silent()
	}
	s, _ := m.Latest()
	return s
}

func (m *Monitor) silent() {
	m.say("", trouble{CauseDriver, "silent", fmt.Sprintf("the driver has not answered for %s; telemetry waits for it, the run does not", patience)})
}

// Latest returns the newest sample, and whether there is one.
func (m *Monitor) Latest() (Sample, bool) {
	if m == nil {
		return Sample{}, false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.latest == nil {
		return Sample{}, false
	}
	return *m.latest, true
}

// Phrase is Sample.Phrase of the newest sample, at no cost.
func (m *Monitor) Phrase() string {
	if m == nil {
		return ""
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.phrase
}

// Notices returns what was said so far.
func (m *Monitor) Notices() []Notice {
	if m == nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]Notice(nil), m.notices...)
}

// loop is the one goroutine that asks the driver.
func (m *Monitor) loop() {
	defer close(m.done)
	ticker := time.NewTicker(m.o.Interval)
	defer ticker.Stop()
	defer func() {
		if m.driver != nil {
			m.driver.close()
		}
	}()
	m.take()
	for {
		select {
		case <-m.stop:
			return
		case r := <-m.watch:
			m.open(r)
			m.take()
		case taken := <-m.ask:
			m.pending()
			m.take()
			close(taken)
		case <-ticker.C:
			m.take()
		}
	}
}

// pending opens devices that were asked for before a sample was: select takes either first.
func (m *Monitor) pending() {
	select {
	case r := <-m.watch:
		m.open(r)
		m.take()
	default:
	}
}

func (m *Monitor) open(r request) {
	if m.driver != nil {
		return
	}
	d, troubles, err := openNVML(m.o.Library, r.wanted, r.most)
	for _, t := range troubles {
		m.say("", t)
	}
	if err != nil {
		m.say("", trouble{CauseDriver, "open", fmt.Sprintf("there is no telemetry of the GPU: %s; the run goes on without", err)})
		return
	}
	m.driver = d
	for _, id := range d.devices() {
		t := newTrack(id)
		m.tracks = append(m.tracks, t)
		if id.mig {
			m.say(t.device.label(), trouble{CauseMIG, "", "is divided (MIG); its driver does not tell how busy one part is, and other figures are those of the whole"})
		}
	}
}

// take takes one sample and passes it on.
func (m *Monitor) take() {
	s := &Sample{Type: "telemetry", At: time.Now()}
	s.Seconds = s.At.Sub(m.began).Seconds()
	s.Host = m.host.take(s.At)
	for i, t := range m.tracks {
		at := time.Now()
		device, troubles := t.accept(at, m.driver.read(i))
		s.Devices = append(s.Devices, device)
		s.Joules += t.joules
		for _, x := range troubles {
			m.say(device.label(), x)
		}
	}
	phrase := s.Phrase()
	m.mu.Lock()
	s.Stage, s.Step = m.stage, m.step
	m.latest, m.phrase = s, phrase
	m.mu.Unlock()
	m.send(s)
}

// say makes a notice of a trouble that was not said before. device begins its sentence, where there is one.
func (m *Monitor) say(device string, t trouble) {
	n := Notice{Type: "warning", At: time.Now(), Device: device, Cause: t.cause, Message: t.message}
	if device != "" {
		n.Message = device + " " + t.message
	}
	key := device + "\x00" + t.cause + "\x00" + t.key
	m.mu.Lock()
	if m.said[key] {
		m.mu.Unlock()
		return
	}
	m.said[key] = true
	n.Stage, n.Step = m.stage, m.step
	m.notices = append(m.notices, n)
	m.mu.Unlock()
	if m.o.Log != nil {
		m.o.Log.LogAttrs(context.Background(), slog.LevelWarn, n.Message, slog.String("cause", n.Cause))
	}
	if t.cause != CauseRecord {
		m.send(n)
	}
}

// send writes a line. Where that fails it says so once and writes no more.
func (m *Monitor) send(line any) {
	m.sinkMu.Lock()
	var err error
	if m.sink != nil {
		if err = m.sink.Line(line); err != nil {
			m.sink = nil
		}
	}
	m.sinkMu.Unlock()
	if err != nil {
		m.say("", trouble{CauseRecord, "", fmt.Sprintf("telemetry is no longer written: %s", err)})
	}
}
