package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
	"github.com/synehrgy/synehrgy-go/synehrgy/run"
)

// This file holds the commands that do one stage, and the two that do all of them.

// stage loads the configuration, opens the environment of a stage and calls work in it.
func (a *app) stage(cmd *cobra.Command, work func(ctx context.Context, env *run.Environment) error) error {
	config, err := a.load(cmd)
	if err != nil {
		return err
	}
	return a.within(cmd.Context(), config, nil, work)
}

func (a *app) within(ctx context.Context, config run.Config, log io.Writer, work func(context.Context, *run.Environment) error) (err error) {
	logger, err := a.logger(log)
	if err != nil {
		return err
	}
	observer := a.newProgress()
	defer func() { observer.Close(err != nil) }()
	env, err := run.NewEnvironment(config, logger, observer, Version)
	if err != nil {
		return err
	}
	defer env.Close()
	return work(ctx, env)
}

// trainingFlags are those of every command that trains.
func trainingFlags(cmd *cobra.Command) {
	cmd.Flags().String("precision", "", "of the operands of products while training: fp32, or bf16 as accelerators compute (default bf16 on a GPU, which has no other, else fp32)")
	cmd.Flags().Bool("recompute", false, "train in less memory and more time, to the same bits")
}

// decodingFlags are those of every command that generates.
func decodingFlags(cmd *cobra.Command) {
	cmd.Flags().String("kv-cache", "", "fp16: keys and values between steps in 16 bits: half the memory, faster, other patients; its cost in bits per token is measured first (default: the numbers of the device, fp32 or bf16)")
}

// watchFlags are those of every command that is watched while it works.
func watchFlags(cmd *cobra.Command) {
	cmd.Flags().String("metrics-addr", "", "HOST:PORT where telemetry is served for Prometheus while the command works, such as 127.0.0.1:9400")
	cmd.Flags().Bool("metrics-public", false, "let --metrics-addr be an address that other machines reach")
}

func required(cmd *cobra.Command, names ...string) {
	for _, name := range names {
		if err := cmd.MarkFlagRequired(name); err != nil {
			panic(err) // a flag that was never defined: a mistake in this file, found by the first test
		}
	}
}

func (a *app) prepare() *cobra.Command {
	var format, input, out string
	cmd := &cobra.Command{
		Use:   "prepare --format F --input PATH --out DIR",
		Short: "Read hospital tables into a cohort (MEDS), divided by patient",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.stage(cmd, func(ctx context.Context, env *run.Environment) error {
				done, err := run.Prepare(ctx, env, format, input, out)
				if err != nil {
					return err
				}
				lines := []string{fmt.Sprintf("%s: %d patients, %d visits, %d events", out, done.Patients, done.Visits, done.Events)}
				a.result("cohort", map[string]any{"path": out, "patients": done.Patients, "visits": done.Visits, "events": done.Events, "dropped": done.Report.Dropped},
					append(lines, done.Report.String())...)
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&format, "format", "", "format of the input: "+run.FormatList())
	cmd.Flags().StringVar(&input, "input", "", "file or folder to read")
	cmd.Flags().StringVar(&out, "out", "", "new directory for the cohort")
	required(cmd, "format", "input", "out")
	return cmd
}

func (a *app) tokenize() *cobra.Command {
	var cohort, out string
	cmd := &cobra.Command{
		Use:   "tokenize --cohort DIR --out DIR",
		Short: "Fit vocabulary, bins and grammar on the training split and write token shards",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.stage(cmd, func(ctx context.Context, env *run.Environment) error {
				done, err := run.Tokenize(ctx, env, cohort, out)
				if err != nil {
					return err
				}
				a.result("corpus", map[string]any{"path": out, "facts": done.Facts()}, done.Lines()...)
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&cohort, "cohort", "", "cohort to read")
	cmd.Flags().StringVar(&out, "out", "", "new directory for the corpus")
	required(cmd, "cohort", "out")
	return cmd
}

func (a *app) train() *cobra.Command {
	var corpus, out string
	var resume bool
	cmd := &cobra.Command{
		Use:   "train --corpus DIR --out DIR",
		Short: "Train a transformer on a corpus; best and last checkpoints",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.stage(cmd, func(ctx context.Context, env *run.Environment) error {
				done, err := run.Train(ctx, env, corpus, out, resume)
				if err != nil {
					return err
				}
				a.result("model", map[string]any{"path": out, "facts": done.Facts()}, done.Lines()...)
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&corpus, "corpus", "", "corpus to read")
	cmd.Flags().StringVar(&out, "out", "", "directory for the checkpoints")
	cmd.Flags().BoolVar(&resume, "resume", false, "go on from the last checkpoint in --out, bit for bit")
	cmd.Flags().Int("steps", 0, "stop after this many steps (0: as the configuration says)")
	cmd.Flags().Int("context", 0, "tokens the model sees at once")
	trainingFlags(cmd)
	watchFlags(cmd)
	required(cmd, "corpus", "out")
	return cmd
}

func (a *app) generate() *cobra.Command {
	var model, out string
	cmd := &cobra.Command{
		Use:   "generate --model DIR --patients N --seed S --out DIR",
		Short: "Sample new patients under the grammar; the same patient for the same seed and index",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.stage(cmd, func(ctx context.Context, env *run.Environment) error {
				if env.Config.Generate.Patients == 0 {
					return fault.Usagef("generate needs --patients N, one or more")
				}
				done, err := run.Generate(ctx, env, model, out)
				if err != nil {
					return err
				}
				a.result("synthetic", map[string]any{"path": out, "facts": done.Facts()}, done.Lines()...)
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&model, "model", "", "checkpoint to sample from")
	cmd.Flags().StringVar(&out, "out", "", "new directory for the synthetic cohort")
	cmd.Flags().Int64("patients", 0, "patients to make")
	cmd.Flags().Int("slots", 64, "records decoded together; changes speed, never a patient")
	cmd.Flags().String("precision", "", "of the linear layers: fp32, or int8: faster, other patients; its cost in bits per token is measured first (default fp32; on a GPU bf16, which has no other)")
	decodingFlags(cmd)
	cmd.Flags().Bool("report-mask-mass", false, "measure on every draw, not on one in 16, what the grammar removes; slower, the same patients")
	watchFlags(cmd)
	required(cmd, "model", "out", "patients")
	return cmd
}

func (a *app) evaluate() *cobra.Command {
	var in run.EvaluateInput
	cmd := &cobra.Command{
		Use:   "evaluate --train COHORT --test COHORT --synthetic COHORT --out DIR",
		Short: "Measure fidelity, utility and privacy, each beside its ceiling and its controls",
		Long: "Measure fidelity, utility and privacy, each beside its ceiling and its controls.\n\n" +
			"A cohort that is divided gives its train split to --train and its held-out split to --test, so both may name the same directory.",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.stage(cmd, func(ctx context.Context, env *run.Environment) error {
				done, err := run.Evaluate(ctx, env, in)
				if err != nil {
					return err
				}
				a.result("evaluation", map[string]any{"path": in.Out, "verdicts": done.Results.Verdicts}, done.Lines()...)
				return done.Gate(env.Config)
			})
		},
	}
	cmd.Flags().StringVar(&in.Train, "train", "", "cohort the model was trained on")
	cmd.Flags().StringVar(&in.Test, "test", "", "real cohort the model has never seen")
	cmd.Flags().StringVar(&in.Synthetic, "synthetic", "", "cohort to judge")
	cmd.Flags().StringVar(&in.Model, "model", "", "checkpoint, for the facts of the report")
	cmd.Flags().StringVar(&in.Out, "out", "", "new directory for results.json and report.html")
	cmd.Flags().Int("bootstrap", 200, "resamples for the intervals")
	required(cmd, "train", "test", "synthetic", "out")
	return cmd
}

func (a *app) run() *cobra.Command {
	var o run.AllOptions
	cmd := &cobra.Command{
		Use:   "run --format F --input PATH --out DIR",
		Short: "The whole job on your own data: tables in, synthetic patients and a report out",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := a.load(cmd)
			if err != nil {
				return err
			}
			return a.all(cmd.Context(), config, o)
		},
	}
	cmd.Flags().StringVar(&o.Format, "format", "", "format of the input: "+run.FormatList())
	cmd.Flags().StringVar(&o.Input, "input", "", "file or folder to read")
	cmd.Flags().StringVar(&o.Out, "out", "", "run directory")
	cmd.Flags().BoolVar(&o.Resume, "resume", false, "continue the run in --out from its last finished stage")
	cmd.Flags().Int64("patients", 0, "synthetic patients to make (0: as many as there are training patients)")
	cmd.Flags().Int("steps", 0, "training steps (0: as the configuration says)")
	trainingFlags(cmd)
	watchFlags(cmd)
	required(cmd, "format", "input", "out")
	return cmd
}

func (a *app) demo() *cobra.Command {
	o := run.AllOptions{Format: run.Simulated, Out: "demo"}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "The whole job on simulated patients, a few minutes; ends at DIR/report.html",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := a.load(cmd)
			if err != nil {
				return err
			}
			config.Generate.Patients = 0 // --patients counts the simulated ones here
			return a.all(cmd.Context(), config, o)
		},
	}
	cmd.Flags().StringVar(&o.Out, "out", o.Out, "run directory")
	cmd.Flags().IntVar(&o.Simulate, "patients", run.DemoPatients, "patients of the simulated cohort")
	cmd.Flags().BoolVar(&o.Resume, "resume", false, "continue the run in --out from its last finished stage")
	cmd.Flags().Int("steps", 0, "training steps (0: as the configuration says)")
	trainingFlags(cmd)
	watchFlags(cmd)
	return cmd
}

// all is what run and demo share.
func (a *app) all(ctx context.Context, config run.Config, o run.AllOptions) error {
	directory, err := run.OpenDirectory(o.Out, o.Resume)
	if err != nil {
		return err
	}
	defer directory.Close()
	return a.within(ctx, config, directory.Log(), func(ctx context.Context, env *run.Environment) error {
		done, err := run.All(ctx, env, directory, o)
		if err != nil {
			return err
		}
		a.result("run", map[string]any{"path": o.Out, "report": directory.Path(run.ReportFile), "verdicts": done.Results.Verdicts}, append(done.Lines(), "report: "+directory.Path(run.ReportFile))...)
		return done.Gate(config)
	})
}
