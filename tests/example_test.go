package tests

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/synehrgy/synehrgy-go/synehrgy/corpus"
	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
	"github.com/synehrgy/synehrgy-go/synehrgy/engine"
	"github.com/synehrgy/synehrgy-go/synehrgy/generate"
	"github.com/synehrgy/synehrgy-go/synehrgy/source/simulate"
	"github.com/synehrgy/synehrgy-go/synehrgy/token"
	"github.com/synehrgy/synehrgy-go/synehrgy/train"
)

// The job from Go: a cohort, its tokens, a model, new patients. In the place of simulate stands source.Read for one's own
// tables.
func Example() {
	ctx := context.Background()
	folder, err := os.MkdirTemp("", "example")
	check(err)
	defer os.RemoveAll(folder)

	cohort, err := simulate.Cohort(simulate.Options{Patients: 60, Seed: 1})
	check(err)
	cohort.AssignSplits(1, ehr.DefaultShares)
	vocabulary, err := token.Fit(cohort, token.DefaultConfig())
	check(err)
	_, err = corpus.Write(ctx, filepath.Join(folder, "corpus"), cohort, vocabulary)
	check(err)

	device, err := engine.OpenDevice(engine.CPU, 0)
	check(err)
	defer device.Close()
	shards, err := corpus.Open(filepath.Join(folder, "corpus"))
	check(err)
	config := train.DefaultConfig()
	config.Steps = 20
	_, err = train.Run(ctx, train.Options{Config: config, Device: device, Corpus: shards, Folder: filepath.Join(folder, "model")})
	check(err)

	synthetic := ehr.Cohort{Schema: *vocabulary.Schema()}
	stats, err := generate.Run(ctx, generate.Options{
		Config: generate.DefaultConfig(), Model: filepath.Join(folder, "model", train.BestFolder), Device: device, Patients: 100,
		Emit: func(p ehr.Patient) error { synthetic.Patients = append(synthetic.Patients, p); return nil },
	})
	check(err)
	fmt.Println(stats.Patients-stats.ParseFailures, "of", len(synthetic.Patients), "records parse")
	// Output: 100 of 100 records parse
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
