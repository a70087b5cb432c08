package cli

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
	"github.com/synehrgy/synehrgy-go/synehrgy/run"
	"github.com/synehrgy/synehrgy-go/synehrgy/source/fetch"
)

// This file holds the commands that bring data in and take data out.

func (a *app) simulate() *cobra.Command {
	var patients int
	var out string
	cmd := &cobra.Command{
		Use:   "simulate --patients N --seed S --out DIR",
		Short: "A cohort whose true joint distribution is known (MEDS)",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if patients < 1 {
				return fault.Usagef("simulate needs --patients N, one or more; found %d", patients)
			}
			return a.stage(cmd, func(ctx context.Context, env *run.Environment) error {
				cohort, err := run.Simulate(ctx, env, patients, out)
				if err != nil {
					return err
				}
				a.result("cohort", sizes(out, cohort), describe(out, cohort))
				return nil
			})
		},
	}
	cmd.Flags().IntVar(&patients, "patients", 0, "patients to make")
	cmd.Flags().StringVar(&out, "out", "", "new directory for the cohort")
	required(cmd, "patients", "out")
	return cmd
}

func sizes(path string, c *ehr.Cohort) map[string]any {
	return map[string]any{"path": path, "patients": len(c.Patients), "visits": c.Visits(), "events": c.Events()}
}

func describe(path string, c *ehr.Cohort) string {
	return fmt.Sprintf("%s: %d patients, %d visits, %d events", path, len(c.Patients), c.Visits(), c.Events())
}

func (a *app) fetch() *cobra.Command {
	var out string
	var names []string
	for _, s := range fetch.Sets() {
		names = append(names, s.Name)
	}
	cmd := &cobra.Command{
		Use:   "fetch NAME --out DIR",
		Short: "Download an open data set from its official home, checked by SHA-256",
		Long:  "Download an open data set from its official home, checked by SHA-256; an interrupted download goes on where it stopped.\n\nNAME is one of: " + strings.Join(names, ", "),
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fault.Usagef("fetch needs the name of one data set: %s", strings.Join(names, ", "))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.fetched(cmd.Context(), args[0], out)
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "directory for the files")
	required(cmd, "out")
	return cmd
}

func (a *app) export() *cobra.Command {
	var cohort, to, out string
	cmd := &cobra.Command{
		Use:   "export --cohort DIR --to meds|csv --out DIR",
		Short: "Write a cohort in another format",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.stage(cmd, func(ctx context.Context, env *run.Environment) error {
				c, err := run.Export(ctx, env, cohort, to, out)
				if err != nil {
					return err
				}
				a.result("export", sizes(out, c), describe(out, c))
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&cohort, "cohort", "", "cohort to read")
	cmd.Flags().StringVar(&to, "to", "", "format to write: meds or csv")
	cmd.Flags().StringVar(&out, "out", "", "new directory")
	required(cmd, "cohort", "to", "out")
	return cmd
}

func (a *app) inspect() *cobra.Command {
	var patient string
	cmd := &cobra.Command{
		Use:   "inspect PATH",
		Short: "Any artefact of ours, for a person to read: run, cohort, corpus, checkpoint, evaluation",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fault.Usagef("inspect needs one path")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.stage(cmd, func(ctx context.Context, env *run.Environment) error {
				seen, err := run.Inspect(ctx, env, filepath.Clean(args[0]), patient)
				if err != nil {
					return err
				}
				a.result("inspect", map[string]any{"path": args[0], "kind": seen.Kind, "facts": seen.Facts()}, seen.Lines()...)
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&patient, "patient", "", "show one patient of a cohort, by id")
	return cmd
}
