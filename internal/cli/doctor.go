package cli

import (
	"context"
	"fmt"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/synehrgy/synehrgy-go/synehrgy/engine"
	"github.com/synehrgy/synehrgy-go/synehrgy/run"
)

// Version is the version of the program.
const Version = "0.1.0"

func (a *app) doctor() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "What this program runs on: backend, processor, libraries, and why CUDA is not in use",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			named, err := a.named(cmd)
			if err != nil {
				return err
			}
			about, err := engine.Describe()
			if err != nil {
				return err
			}
			lines := table([][2]string{
				{"device", named},
				{"program", Version + " (" + runtime.Version() + ")"},
				{"library", about.Version + ", stamp " + short(about.Stamp)},
				{"backends", strings.Join(about.Backends, ", ")},
				{"processor", about.CPU.Name},
				{"features", about.CPU.Features},
				{"kernels", about.CPU.ISA},
				{"threads", fmt.Sprint(about.Threads)},
				{"products", about.GEMM},
				{"trees", about.Boost},
				{"CUDA", about.CUDA},
				{"hostgpu", about.HostGPU},
			})
			a.result("doctor", map[string]any{"device": named, "version": Version, "go": runtime.Version(), "stamp": about.Stamp, "library": about}, lines...)
			return nil
		},
	}
}

// named opens the device of --device, or of the configuration, and says what it is; "auto" is not tried.
func (a *app) named(cmd *cobra.Command) (name string, err error) {
	err = a.stage(cmd, func(_ context.Context, env *run.Environment) error {
		if name = env.Config.Device; name == "auto" {
			return nil
		}
		device, err := env.Device()
		if err != nil {
			return err
		}
		name = fmt.Sprintf("%s, opened with %d threads", device.Backend(), device.Threads())
		return nil
	})
	return name, err
}

func short(stamp string) string {
	if len(stamp) > 12 {
		return stamp[:12]
	}
	return stamp
}

func (a *app) devices() *cobra.Command {
	return &cobra.Command{
		Use:   "devices",
		Short: "The devices that --device can name here",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			about, err := engine.Describe()
			if err != nil {
				return err
			}
			a.result("devices", map[string]any{"cpu": about.CPU, "threads": about.Threads, "cuda": about.CUDA, "hostgpu": about.HostGPU}, table([][2]string{
				{"cpu", fmt.Sprintf("%s, %d threads, %s kernels", about.CPU.Name, about.Threads, about.CPU.ISA)},
				{"cuda", about.CUDA},
				{"hostgpu", about.HostGPU},
			})...)
			return nil
		},
	}
}

func (a *app) version() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "The version of the program and of the library it runs on",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			about, err := engine.Describe()
			if err != nil {
				return err
			}
			a.result("version", map[string]any{"version": Version, "library": about.Version, "stamp": about.Stamp, "go": runtime.Version()},
				fmt.Sprintf("synehrgy %s, library %s (%s), %s", Version, about.Version, short(about.Stamp), runtime.Version()))
			return nil
		},
	}
}
