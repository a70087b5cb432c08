// Package cli is the command line: one file a command, and nothing but flags, configuration, progress and exit codes.
// The work is done by the packages under synehrgy.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/synehrgy/synehrgy-go/synehrgy/engine"
	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
)

// Exit codes. They are part of the interface: scripts rely on them.
const (
	exitDone        = 0
	exitError       = 1
	exitUsage       = 2
	exitInput       = 3 // the input data are not what they should be
	exitNoDevice    = 4
	exitMemory      = 5
	exitQuality     = 6 // the job was done, a gate that the user set was missed
	exitInterrupted = 130
)

// Streams is where a command reads and writes. Results go to Out, everything for people to Err.
type Streams struct {
	Out, Err io.Writer
	Terminal bool // Err is a terminal: progress bars make sense
}

// System is the streams of the process.
func System() Streams {
	info, err := os.Stderr.Stat()
	return Streams{Out: os.Stdout, Err: os.Stderr, Terminal: err == nil && info.Mode()&os.ModeCharDevice != 0}
}

var errInterrupted = errors.New("interrupted")

// Main runs one command and returns the exit code.
func Main(args []string, streams Streams) int {
	ctx, stop := interruptible()
	defer stop()
	a := &app{streams: streams}
	root := a.root()
	root.SetArgs(args)
	root.SetOut(streams.Out)
	root.SetErr(streams.Err)
	err := root.ExecuteContext(ctx)
	if err != nil && !a.started { // cobra itself refused the words
		err = &fault.Usage{Message: err.Error()}
	}
	return a.finish(ctx, err)
}

// interruptible is a context that the first SIGINT or SIGTERM cancels, so that the work in hand ends in order; the second
// leaves at once.
func interruptible() (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		if _, ok := <-signals; !ok {
			return
		}
		cancel(errInterrupted)
		if _, ok := <-signals; ok {
			os.Exit(exitInterrupted)
		}
	}()
	return ctx, func() { signal.Stop(signals); close(signals); cancel(nil) }
}

// finish says what went wrong, in one sentence, and returns the exit code for it.
func (a *app) finish(ctx context.Context, err error) int {
	if err == nil {
		return exitDone
	}
	code := exitCode(err)
	var core *engine.Error
	if errors.As(err, &core) && code != exitError {
		err = errors.New(core.Msg) // the name of the entry point helps nobody who can mend a setting
	}
	if errors.Is(context.Cause(ctx), errInterrupted) {
		code, err = exitInterrupted, errors.New("interrupted; what was complete is kept")
	}
	if a.json {
		a.emit(map[string]any{"type": "error", "exit_code": code, "message": oneLine(err)})
	}
	fmt.Fprintf(a.streams.Err, "synehrgy: %s\n", oneLine(err))
	var usage *fault.Usage
	if errors.As(err, &usage) {
		fmt.Fprintln(a.streams.Err, "Run 'synehrgy --help' for the commands and their flags.")
	}
	return code
}

func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

func exitCode(err error) int {
	var usage *fault.Usage
	var input *fault.Input
	var quality *fault.Quality
	switch {
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &input):
		return exitInput
	case errors.As(err, &quality):
		return exitQuality
	case errors.Is(err, engine.ErrInvalid): // a setting that the core refuses
		return exitUsage
	case errors.Is(err, engine.ErrNoDevice):
		return exitNoDevice
	case errors.Is(err, engine.ErrOutOfMemory):
		return exitMemory
	}
	return exitError
}

// app is what the commands share: streams, the flags that stand everywhere, and the configuration they end in.
type app struct {
	streams  Streams
	started  bool // a command's own code has begun
	json     bool
	logLevel string
	config   string // --config FILE
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "synehrgy",
		Short: "Synthetic patients from real hospital records, and an honest account of how good and how private they are",
		Long: "synehrgy turns hospital records (covariates, labels, codes, irregular vitals and labs over several visits) into\n" +
			"synthetic ones and measures their fidelity, utility and privacy.\n\n" +
			"Exit codes: 0 done, 1 error, 2 usage, 3 input data invalid, 4 device not available, 5 out of memory,\n" +
			"6 quality gate not met, 130 interrupted.\n\n" +
			"A flag beats an environment variable SYNEHRGY_<KEY> beats the file of --config beats the default.",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	flags := root.PersistentFlags()
	flags.BoolVar(&a.json, "json", false, "results and progress as one JSON object a line on standard output")
	flags.StringVar(&a.logLevel, "log-level", "warn", "debug, info, warn or error; a run directory keeps everything in log.jsonl")
	flags.StringVar(&a.config, "config", "", "configuration file (YAML); an unknown key is an error")
	flags.String("device", "auto", "cpu, cuda or auto (cuda where there is one); ref for the slow reference backend, hostgpu for an emulation of cuda")
	flags.Int("threads", 0, "threads of the core (default as many as this process may use)")
	flags.Uint64("seed", 1, "seed of everything random")
	for _, command := range a.commands() {
		run := command.RunE
		command.RunE = func(cmd *cobra.Command, args []string) error {
			a.started = true
			return run(cmd, args)
		}
		root.AddCommand(command)
	}
	return root
}

func (a *app) commands() []*cobra.Command {
	return []*cobra.Command{
		a.demo(), a.run(), a.simulate(), a.fetch(), a.prepare(), a.tokenize(), a.train(), a.generate(), a.evaluate(),
		a.export(), a.inspect(), a.bench(), a.devices(), a.doctor(), a.version(),
	}
}

// noArgs refuses positional arguments with a sentence of usage.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fault.Usagef("%s takes no arguments, only flags; found %q", cmd.CommandPath(), args[0])
	}
	return nil
}
