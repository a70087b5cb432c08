package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
)

// emit writes one JSON object as a line of standard output.
func (a *app) emit(object any) {
	line, err := json.Marshal(object)
	if err != nil {
		line, _ = json.Marshal(map[string]string{"type": "error", "message": err.Error()})
	}
	fmt.Fprintf(a.streams.Out, "%s\n", line)
}

// say writes a line for people.
func (a *app) say(format string, args ...any) { fmt.Fprintf(a.streams.Err, format+"\n", args...) }

// result is the outcome of a command: an object of its type with --json, the lines otherwise.
func (a *app) result(kind string, fields map[string]any, lines ...string) {
	if a.json {
		fields["type"] = kind
		a.emit(fields)
		return
	}
	for _, line := range lines {
		fmt.Fprintln(a.streams.Out, line)
	}
}

// logger is zerolog behind slog, at the level of --log-level: to a person on a terminal, else as JSON, on standard error.
// extra, where given, receives everything from debug on (the log of a run directory).
func (a *app) logger(extra io.Writer) (*slog.Logger, error) {
	level, err := zerolog.ParseLevel(a.logLevel)
	if err != nil || a.logLevel == "" {
		return nil, fault.Usagef("--log-level %q is none of debug, info, warn, error", a.logLevel)
	}
	var shown io.Writer = a.streams.Err
	if a.streams.Terminal {
		shown = zerolog.ConsoleWriter{Out: a.streams.Err, TimeFormat: time.TimeOnly}
	}
	writers := []io.Writer{&zerolog.FilteredLevelWriter{Writer: zerolog.LevelWriterAdapter{Writer: shown}, Level: level}}
	if extra != nil {
		writers = append(writers, extra)
	}
	logger := zerolog.New(zerolog.MultiLevelWriter(writers...)).With().Timestamp().Logger()
	return slog.New(zerolog.NewSlogHandler(logger)), nil
}

// progress shows how far a stage is: a bar on a terminal, JSON lines with --json, otherwise a line when a stage begins.
// It is what run.Observer asks for; calls may come from any goroutine.
type progress struct {
	a      *app
	mu     sync.Mutex
	bars   *mpb.Progress
	bar    *mpb.Bar
	stage  string
	note   string
	failed bool
	last   time.Time
	since  time.Time
}

func (a *app) newProgress() *progress { return &progress{a: a} }

// Stage begins a stage and ends the one before.
func (p *progress) Stage(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.end()
	p.stage, p.note, p.since, p.last = name, "", time.Now(), time.Time{}
	switch {
	case p.a.json:
		p.a.emit(map[string]any{"type": "stage", "stage": name})
	case !p.a.streams.Terminal:
		p.a.say("%s …", name)
	}
}

// Step says that done of total units are done; note is what a person wants to know beside it.
func (p *progress) Step(done, total int64, note string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if done < total && now.Sub(p.last) < 200*time.Millisecond {
		return
	}
	p.last, p.note = now, note
	if p.a.json {
		p.a.emit(map[string]any{"type": "progress", "stage": p.stage, "done": done, "total": total, "note": note})
		return
	}
	if !p.a.streams.Terminal {
		return
	}
	if p.bar == nil {
		p.bars = mpb.New(mpb.WithOutput(p.a.streams.Err), mpb.WithWidth(48))
		p.bar = p.bars.AddBar(total,
			mpb.PrependDecorators(decor.Name(fmt.Sprintf("%-10s", p.stage))),
			mpb.AppendDecorators(decor.Percentage(), decor.Name(" "), decor.AverageETA(decor.ET_STYLE_GO),
				decor.Any(func(decor.Statistics) string { return "  " + p.note })))
	}
	p.bar.SetTotal(total, false)
	p.bar.SetCurrent(done)
}

// Close ends the last stage; it is not said to be done when it failed.
func (p *progress) Close(failed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failed = failed
	p.end()
}

func (p *progress) end() {
	if p.bar != nil {
		bar, bars := p.bar, p.bars
		p.bar, p.bars = nil, nil
		p.mu.Unlock() // the bar's last rendering reads the note
		bar.SetTotal(-1, true)
		bars.Wait()
		p.mu.Lock()
	}
	if p.stage != "" && !p.failed && !p.a.json && !p.a.streams.Terminal {
		p.a.say("%s done in %s%s", p.stage, time.Since(p.since).Round(100*time.Millisecond), prefixed("; ", p.note))
	}
	p.stage = ""
}

func prefixed(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
}

// table prints rows in aligned columns.
func table(rows [][2]string) []string {
	width := 0
	for _, r := range rows {
		width = max(width, len([]rune(r[0])))
	}
	lines := make([]string, len(rows))
	for i, r := range rows {
		lines[i] = r[0] + strings.Repeat(" ", width-len([]rune(r[0]))+2) + r[1]
	}
	return lines
}
