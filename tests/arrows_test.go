// Package tests holds what concerns the whole: the arrows between the packages, and the command line end to end.
package tests

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/synehrgy/synehrgy-go/"

// floors says how high a room lies. A package may import rooms below its own, never beside or above. Folders of one room
// (source/eicu, source/table) count as the room and order themselves.
var floors = map[string]int{
	"synehrgy/fault":      0,
	"synehrgy/ehr":        0,
	"bindings":            0,
	"internal/jsontest":   0, // for test files
	"csrc/tests/gpu":      0, // ptxsim and gates, which test the CUDA kernels
	"synehrgy/checkpoint": 1,
	"synehrgy/token":      2,
	"synehrgy/corpus":     3,
	"synehrgy/source":     3,
	"synehrgy/engine":     3,
	"synehrgy/train":      4,
	"synehrgy/generate":   4,
	"synehrgy/evaluate":   4,
	"synehrgy/monitor":    4,
	"synehrgy/report":     5,
	"synehrgy/run":        6,
	"internal/cli":        7,
	"cmd/synehrgy":        8,
	"tests":               9,
}

// owners says which room alone may import a package from elsewhere (by prefix) or of ours.
var owners = map[string][]string{
	module + "bindings":          {"synehrgy/engine"},
	"github.com/duckdb/":         {"synehrgy/source"},
	"github.com/NVIDIA/":         {"synehrgy/monitor"},
	"github.com/spf13/":          {"internal/cli"},
	"github.com/rs/zerolog":      {"internal/cli"},
	"github.com/vbauerster/":     {"internal/cli"},
	"github.com/go-viper/":       {"internal/cli"},
	"github.com/gofrs/flock":     {"synehrgy/run"},
	"github.com/rogpeppe/":       {"tests"},
	"github.com/stretchr/":       {"synehrgy/source", "internal/jsontest"}, // source/table/tabletest; test files are not in the listing
	"C":                          {"bindings"},
	module + "synehrgy/source/t": {"synehrgy/source", "synehrgy/run", "internal/cli"}, // source/table
}

type listed struct {
	ImportPath string
	Imports    []string
}

func room(path string) string {
	path = strings.TrimPrefix(path, module)
	for name := range floors {
		if path == name || strings.HasPrefix(path, name+"/") {
			return name
		}
	}
	return ""
}

// broken lists every import that goes against an arrow.
func broken(packages []listed) []string {
	var out []string
	for _, p := range packages {
		from := room(p.ImportPath)
		if from == "" {
			out = append(out, p.ImportPath+" is in no room of the house")
			continue
		}
		for _, imported := range p.Imports {
			if to := room(imported); strings.HasPrefix(imported, module) && to != from && floors[to] >= floors[from] {
				out = append(out, fmt.Sprintf("%s imports %s, which does not lie below it", p.ImportPath, imported))
			}
			for prefix, rooms := range owners {
				if imported != prefix && !strings.HasPrefix(imported, prefix) || len(prefix) == 1 && imported != prefix {
					continue
				}
				if !contains(rooms, from) && from != room(imported) {
					out = append(out, fmt.Sprintf("%s imports %s, which is for %v alone", p.ImportPath, imported, rooms))
				}
			}
		}
	}
	return out
}

func contains(rooms []string, name string) bool {
	for _, r := range rooms {
		if r == name {
			return true
		}
	}
	return false
}

func listAll(t *testing.T) []listed {
	t.Helper()
	command := exec.Command("go", "list", "-json=ImportPath,Imports", module+"...")
	command.Dir = ".."
	output, err := command.Output()
	require.NoError(t, err)
	var packages []listed
	for decoder := json.NewDecoder(bytes.NewReader(output)); ; {
		var p listed
		err := decoder.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		packages = append(packages, p)
	}
	require.Greater(t, len(packages), 12)
	return packages
}

func TestArrowsPointDown(t *testing.T) {
	require.Empty(t, broken(listAll(t)))
}

func TestABrokenArrowIsSeen(t *testing.T) {
	for _, c := range []listed{
		{module + "synehrgy/ehr", []string{module + "synehrgy/fault"}},
		{module + "synehrgy/train", []string{module + "bindings"}},
		{module + "synehrgy/token", []string{module + "synehrgy/engine"}},
		{module + "synehrgy/evaluate", []string{module + "synehrgy/report"}},
		{module + "synehrgy/corpus", []string{"github.com/duckdb/duckdb-go/v2"}},
		{module + "synehrgy/run", []string{"github.com/NVIDIA/go-nvml/pkg/nvml"}},
		{module + "synehrgy/run", []string{"github.com/spf13/viper"}},
		{module + "synehrgy/generate", []string{"github.com/rs/zerolog"}},
		{module + "synehrgy/engine", []string{"C"}},
		{module + "somewhere/else", nil},
	} {
		require.NotEmpty(t, broken([]listed{c}), "%s may import %v", c.ImportPath, c.Imports)
	}
	require.Empty(t, broken([]listed{{module + "synehrgy/engine", []string{module + "bindings", module + "synehrgy/token"}}}))
	require.Empty(t, broken([]listed{{module + "synehrgy/source/eicu", []string{module + "synehrgy/source/table", "github.com/duckdb/duckdb-go/v2"}}}))
}

// The rooms that must build where there is no C compiler.
func TestPureGoRoomsReachNoC(t *testing.T) {
	for _, name := range []string{"ehr", "token", "corpus", "checkpoint", "evaluate", "report"} {
		command := exec.Command("go", "list", "-deps", "-f", "{{if .CgoFiles}}{{if not .Standard}}{{.ImportPath}}{{end}}{{end}}", module+"synehrgy/"+name)
		command.Dir = ".."
		output, err := command.Output()
		require.NoError(t, err)
		require.Empty(t, strings.Fields(string(output)), "%s reaches cgo", name)
	}
}
