package monitor

import (
	"bytes"
	"math"
	"os"
	"strconv"
	"syscall"
	"time"
)

// This file reads the figures of the host from the system. What the system does not tell (another system than Linux, a
// container that hides a file) is absent.

// hostReader remembers the counters of the last reading.
type hostReader struct {
	folder string // on the file system of the run; empty: none

	at            time.Time
	cpu           float64 // seconds of this process
	busy, ticks   float64 // of all cores
	read, written float64 // bytes of this process
}

func newHostReader(folder string) *hostReader {
	return &hostReader{folder: folder, cpu: math.NaN(), busy: math.NaN(), ticks: math.NaN(), read: math.NaN(), written: math.NaN()}
}

func (h *hostReader) take(at time.Time) Host {
	v := newValues(hostTable)
	seconds := at.Sub(h.at).Seconds()
	rate := func(f HostFigure, last *float64, now, parts float64) {
		if grown := now - *last; grown >= 0 && seconds > 0 {
			v[f] = math.Round(grown/seconds*parts) / parts
		}
		*last = now
	}
	rate(HostCPU, &h.cpu, cpuSeconds(), 1000)
	busy, ticks := systemTicks()
	if all := ticks - h.ticks; all > 0 {
		v[HostSystemCPU] = math.Round(1000*min(max((busy-h.busy)/all, 0), 1)) / 1000
	}
	h.busy, h.ticks = busy, ticks
	read, written := diskBytes()
	rate(DiskRead, &h.read, read, 1)
	rate(DiskWritten, &h.written, written, 1)
	v[HostRSS] = residentBytes()
	if h.folder != "" {
		v[DiskFree] = freeBytes(h.folder)
	}
	h.at = at
	for i, x := range v {
		if x < 0 || x > hostTable[i].most {
			v[i] = math.NaN()
		}
	}
	return Host{v}
}

func cpuSeconds() float64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return math.NaN()
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// systemTicks reads the first line of /proc/stat: "cpu  user nice system idle iowait irq softirq steal …".
func systemTicks() (busy, all float64) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return math.NaN(), math.NaN()
	}
	line, _, _ := bytes.Cut(text, []byte("\n"))
	fields := bytes.Fields(line)
	if len(fields) < 9 || string(fields[0]) != "cpu" {
		return math.NaN(), math.NaN()
	}
	for i, field := range fields[1:9] {
		x := number(field)
		all += x
		if i != 3 && i != 4 { // idle, waiting for a disk
			busy += x
		}
	}
	return busy, all
}

// residentBytes reads /proc/self/statm, whose second word is pages in memory.
func residentBytes() float64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return math.NaN()
	}
	fields := bytes.Fields(text)
	if len(fields) < 2 {
		return math.NaN()
	}
	return number(fields[1]) * float64(os.Getpagesize())
}

// diskBytes reads /proc/self/io, which some containers forbid.
func diskBytes() (read, written float64) {
	read, written = math.NaN(), math.NaN()
	text, err := os.ReadFile("/proc/self/io")
	if err != nil {
		return read, written
	}
	for line := range bytes.Lines(text) {
		key, value, _ := bytes.Cut(bytes.TrimSpace(line), []byte(": "))
		switch string(key) {
		case "read_bytes":
			read = number(value)
		case "write_bytes":
			written = number(value)
		}
	}
	return read, written
}

func freeBytes(folder string) float64 {
	var s syscall.Statfs_t
	if syscall.Statfs(folder, &s) != nil {
		return math.NaN()
	}
	return float64(s.Bavail) * float64(s.Bsize)
}

// number is NaN where there is none.
func number(text []byte) float64 {
	x, err := strconv.ParseFloat(string(text), 64)
	if err != nil {
		return math.NaN()
	}
	return x
}
