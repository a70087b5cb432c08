// Package nvmltest is a management library of NVIDIA for tests of telemetry: it says what a script tells it to (the language of
// scripts stands at the beginning of testdata/nvml.c), and is opened by the real go-nvml like the driver's own.
package nvmltest

import (
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Name is what the driver's library is called, and Script the variable that names the script.
const (
	Name   = "libnvidia-ml.so.1"
	Script = "SYNEHRGY_FAKE_NVML"
)

//go:embed testdata/nvml.c
var source []byte

// Compile makes the library at path, against the header of go-nvml: prototypes and structures are those that the real go-nvml
// calls with. It needs a C compiler ($CC, or cc). A process stays with the functions of the first library that it called.
func Compile(path string, flags ...string) error {
	module, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/NVIDIA/go-nvml").Output()
	if err != nil {
		return fmt.Errorf("go-nvml cannot be found: %w", err)
	}
	compiler := os.Getenv("CC")
	if compiler == "" {
		compiler = "cc"
	}
	code := filepath.Join(filepath.Dir(path), "nvml.c")
	if err := os.WriteFile(code, source, 0o600); err != nil {
		return err
	}
	arguments := append([]string{
		"-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-DNVML_NO_UNVERSIONED_FUNC_DEFS=1",
		"-I" + filepath.Join(strings.TrimSpace(string(module)), "pkg", "nvml"), "-o", path,
	}, append(flags, code)...)
	if text, err := exec.Command(compiler, arguments...).CombinedOutput(); err != nil {
		return fmt.Errorf("the fake library cannot be compiled: %w\n%s", err, text)
	}
	return nil
}
