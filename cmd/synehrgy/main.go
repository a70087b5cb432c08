// Command synehrgy turns hospital records into synthetic ones. Everything it does is in internal/cli.
package main

import (
	"os"

	"github.com/synehrgy/synehrgy-go/internal/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:], cli.System())) }
