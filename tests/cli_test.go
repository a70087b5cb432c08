package tests

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/synehrgy/synehrgy-go/internal/cli"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"synehrgy": func() { os.Exit(cli.Main(os.Args[1:], cli.System())) },
	})
}

// TestCommandLine runs testdata/cli/*.txtar: the commands, their exit codes and what they say when the input is bad.
func TestCommandLine(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/cli",
		Setup: func(env *testscript.Env) error {
			configs, err := filepath.Abs(filepath.Join("..", "configs"))
			if err != nil {
				return err
			}
			env.Setenv("CONFIGS", configs)
			for _, name := range []string{"SYNEHRGY_DATA", "HOME", "TMPDIR"} {
				env.Setenv(name, os.Getenv(name))
			}
			return nil
		},
		Condition: func(cond string) (bool, error) {
			if name, ok := strings.CutPrefix(cond, "data:"); ok {
				return hasData(name)
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":    exits,
			"sentence": sentence,
			"truncate": truncate,
			"corrupt":  corrupt,
		},
	})
}

// hasData: the open data sets must be there when SYNEHRGY_DATA says so; elsewhere a script that needs one says what it skips.
func hasData(name string) (bool, error) {
	root := os.Getenv("SYNEHRGY_DATA")
	if root == "" {
		return false, nil
	}
	if _, err := os.Stat(filepath.Join(root, name)); err != nil {
		return false, fmt.Errorf("SYNEHRGY_DATA is set, but %s is not there", name)
	}
	return true, nil
}

// exits CODE PROGRAM ARGUMENT...: the program ends with exactly that exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM [ARGUMENT...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%s did not run: %v", args[1], err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, expected %d", got, want)
	}
}

// sentence TEXT...: what the last command said on standard error ends in one line of ours that holds every TEXT, and is no
// stack trace.
func sentence(ts *testscript.TestScript, neg bool, args []string) {
	said := strings.TrimSpace(ts.ReadFile("stderr"))
	for _, trace := range []string{"goroutine ", "panic:", "SIGSEGV", "terminate called", ".go:", ".cpp:"} {
		if strings.Contains(said, trace) {
			ts.Fatalf("standard error holds %q", trace)
		}
	}
	var ours []string
	for line := range strings.Lines(said) {
		if strings.HasPrefix(line, "synehrgy: ") {
			ours = append(ours, line)
		}
	}
	if len(ours) != 1 {
		ts.Fatalf("%d lines begin with \"synehrgy: \", expected one", len(ours))
	}
	for _, text := range args {
		if strings.Contains(ours[0], text) == neg {
			ts.Fatalf("the sentence %q: %q expected %v", strings.TrimSpace(ours[0]), text, !neg)
		}
	}
}

// truncate FILE BYTES: cuts a file off.
func truncate(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: truncate FILE BYTES")
	}
	size, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	ts.Check(os.Truncate(ts.MkAbs(args[0]), size))
}

// corrupt FILE OFFSET: turns over one byte; a negative offset counts from the end.
func corrupt(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: corrupt FILE OFFSET")
	}
	path := ts.MkAbs(args[0])
	data, err := os.ReadFile(path)
	ts.Check(err)
	at, err := strconv.Atoi(args[1])
	ts.Check(err)
	if at < 0 {
		at += len(data)
	}
	data[at] ^= 0xFF
	ts.Check(os.WriteFile(path, data, 0o600))
}
