// Command batches writes what a training run begins with and sees, so that another program can train on the same: the fresh
// weights as a checkpoint (OUT/fresh) and the packed batches (OUT/batches.safetensors).
//
//	batches CONFIG.yaml CORPUS OUT
//
// CONFIG is that of `synehrgy train`; its key train names the seed and the steps. The file holds, for the split NAME = train
// (as many batches as there are steps) and tuning (one pass): NAME.tokens and NAME.targets i32 [T], where target -1 is none;
// NAME.records i32 [S+1], where records begin; NAME.batches i32 [B+1], which records a batch begins with.
package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"

	"go.yaml.in/yaml/v3"

	"github.com/synehrgy/synehrgy-go/synehrgy/checkpoint"
	"github.com/synehrgy/synehrgy-go/synehrgy/corpus"
	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
	"github.com/synehrgy/synehrgy-go/synehrgy/engine"
	"github.com/synehrgy/synehrgy-go/synehrgy/train"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: batches CONFIG.yaml CORPUS OUT")
		os.Exit(2)
	}
	if err := write(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, "batches:", err)
		os.Exit(1)
	}
}

func write(configPath, corpusPath, out string) error {
	text, err := os.ReadFile(configPath)
	if err != nil {
		return err
	}
	config := struct {
		Train train.Config `yaml:"train"`
	}{train.DefaultConfig()}
	if err := yaml.Unmarshal(text, &config); err != nil {
		return err
	}
	c, err := corpus.Open(corpusPath)
	if err != nil {
		return err
	}
	if err := writeFresh(&config.Train, c, filepath.Join(out, "fresh")); err != nil {
		return err
	}
	seen, err := collect(c.Split(ehr.Train), corpus.LoaderOptions{Seed: config.Train.Seed, Tokens: config.Train.BatchTokens}, config.Train.Steps)
	if err != nil {
		return err
	}
	tuning, err := collect(c.Split(ehr.Tuning), corpus.LoaderOptions{Tokens: config.Train.BatchTokens, Ordered: true}, 0)
	if err != nil {
		return err
	}
	return writeBatches(filepath.Join(out, "batches.safetensors"), []named{{"train", seen}, {"tuning", tuning}})
}

// writeFresh writes the weights that train.Run begins with.
func writeFresh(config *train.Config, c *corpus.Corpus, folder string) error {
	shape, err := config.Shape(c.Vocabulary.Size(), c.Index.Context, c.Vocabulary.Generation().StartToken)
	if err != nil {
		return err
	}
	device, err := engine.OpenDevice(engine.CPU, 0)
	if err != nil {
		return err
	}
	defer device.Close()
	model, err := engine.NewModel(device, shape, engine.Fresh{Seed: config.Seed, Std: config.InitStd})
	if err != nil {
		return err
	}
	defer model.Close()
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	if err := model.WriteWeights(filepath.Join(folder, engine.WeightsFile), map[string]string{"format": "pt"}); err != nil {
		return err
	}
	return checkpoint.WriteConfig(filepath.Join(folder, engine.ConfigFile), &shape)
}

// batches are packed batches end to end.
type batches struct{ tokens, targets, records, batches []int32 }

type named struct {
	name string
	data batches
}

// collect takes so many batches of a split, or those of one epoch where count is 0.
func collect(split *corpus.Split, options corpus.LoaderOptions, count int) (batches, error) {
	loader, err := corpus.NewLoader(split, options)
	if err != nil {
		return batches{}, err
	}
	b := batches{records: []int32{0}, batches: []int32{0}}
	for n := 1; ; n++ {
		next := loader.Next()
		base := int32(len(b.tokens))
		b.tokens, b.targets = append(b.tokens, next.Tokens...), append(b.targets, next.Targets...)
		for _, end := range next.Offsets[1:] {
			b.records = append(b.records, base+end)
		}
		b.batches = append(b.batches, int32(len(b.records)-1))
		if n == count || count == 0 && next.Last {
			return b, nil
		}
	}
}

func writeBatches(path string, splits []named) error {
	var infos []checkpoint.TensorInfo
	var data [][]int32
	for _, s := range splits {
		for _, field := range []struct {
			name   string
			values []int32
		}{{"tokens", s.data.tokens}, {"targets", s.data.targets}, {"records", s.data.records}, {"batches", s.data.batches}} {
			infos = append(infos, checkpoint.TensorInfo{Name: s.name + "." + field.name, Dtype: checkpoint.I32, Shape: []int64{int64(len(field.values))}})
			data = append(data, field.values)
		}
	}
	w, err := checkpoint.Create(path, infos, nil)
	if err != nil {
		return err
	}
	defer w.Discard()
	for i, values := range data {
		raw := make([]byte, 0, 4*len(values))
		for _, v := range values {
			raw = binary.LittleEndian.AppendUint32(raw, uint32(v))
		}
		if err := w.Bytes(infos[i].Name, raw); err != nil {
			return err
		}
	}
	return w.Close()
}
