// cost compares the tables of docs/cuda.md with what the kernels move and compute (package cost), or writes them.
//
//	cost -build DIR -ptxsim PATH -docs docs/cuda.md [-write]
//
// DIR holds syn_gpu_tests, NAME.80.ptx and NAME.100.ptx.
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/synehrgy/synehrgy-go/csrc/tests/gpu/cost"
)

func main() {
	build := flag.String("build", "", "folder of syn_gpu_tests and of the PTX")
	simulator := flag.String("ptxsim", "build/ptxsim", "path of ptxsim")
	docs := flag.String("docs", "docs/cuda.md", "page with the tables")
	write := flag.Bool("write", false, "write the tables instead of comparing them")
	flag.Parse()
	line, err := cost.Check(*build, *simulator, *docs, *write)
	if err != nil {
		fmt.Fprintln(os.Stderr, "cost:", err)
		os.Exit(1)
	}
	fmt.Println(line)
}
