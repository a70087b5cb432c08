// gates judges the machine code that nvcc made of the kernels, without running it: for every architecture no spills and no
// local memory; the wanted instructions, and double precision only where it is meant, on the architectures that are shipped.
// The registers that each kernel takes are a table in docs/cuda.md, which must be true.
//
//	gates -build DIR -docs docs/cuda.md [-write] [-cuobjdump PATH]
//
// DIR holds NAME.ptxas, what ptxas -v said, and NAME.fatbin. Without -cuobjdump the instructions are not looked at.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

var (
	architectures = []string{"80", "86", "89", "90", "90a", "100", "100a", "103", "120", "120a"}
	shipped       = []string{"80", "90", "100", "120"}
)

func main() {
	build := flag.String("build", "", "folder of NAME.ptxas and NAME.fatbin")
	docs := flag.String("docs", "docs/cuda.md", "page with the table of registers")
	write := flag.Bool("write", false, "write the table instead of comparing it")
	cuobjdump := flag.String("cuobjdump", "", "path of cuobjdump")
	flag.Parse()
	logs, err := filepath.Glob(filepath.Join(*build, "*.ptxas"))
	if err != nil || len(logs) == 0 {
		fail(fmt.Errorf("no .ptxas in %q", *build))
	}
	var kernels []kernel
	instructions := 0
	for _, path := range logs {
		source := strings.TrimSuffix(filepath.Base(path), ".ptxas")
		if source == "probes" { // wrong on purpose
			continue
		}
		text, err := os.ReadFile(path)
		fail(err)
		found, err := parse(source, string(text))
		fail(err)
		kernels = append(kernels, found...)
		for _, arch := range shipped {
			if *cuobjdump == "" {
				break
			}
			sass, err := disassemble(*cuobjdump, filepath.Join(*build, source+".fatbin"), arch)
			fail(err)
			n, err := judge(source, arch, sass)
			fail(err)
			instructions += n
		}
	}
	fail(check(kernels, architectures))
	fail(table(*docs, kernels, *write))
	fmt.Printf("gates: %d kernels, %d architectures, no spills", len(names(kernels)), len(architectures))
	if instructions > 0 {
		fmt.Printf(", %d machine instructions read", instructions)
	}
	fmt.Println()
}

func disassemble(cuobjdump, fatbin, arch string) (string, error) {
	command := exec.Command(cuobjdump, "-sass", "-arch", "sm_"+arch, fatbin)
	command.Env = append(os.Environ(), "PATH="+filepath.Dir(cuobjdump)+":"+os.Getenv("PATH")) // it calls nvdisasm
	out, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w", command, err)
	}
	return string(out), nil
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "gates:", err)
		os.Exit(1)
	}
}
