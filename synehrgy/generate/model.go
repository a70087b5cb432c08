package generate

import (
	"fmt"
	"path/filepath"

	"github.com/synehrgy/synehrgy-go/synehrgy/checkpoint"
	"github.com/synehrgy/synehrgy-go/synehrgy/engine"
	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
	"github.com/synehrgy/synehrgy-go/synehrgy/token"
)

// open loads the model of a checkpoint folder and makes sure that it speaks the vocabulary beside it, and that the device has room
// for a generator of it before anything lies there.
func open(d *engine.Device, folder string, v *token.Vocabulary, g *engine.Grammar, o engine.GeneratorOptions) (*engine.Model, error) {
	weights := filepath.Join(folder, engine.WeightsFile)
	if err := checkFingerprint(weights, v); err != nil {
		return nil, err
	}
	// A configuration that cannot be read, or of another vocabulary, is said below, after the checksums.
	if config, err := checkpoint.ReadConfig(filepath.Join(folder, engine.ConfigFile)); err == nil && config.Vocab == v.Size() {
		if _, err := d.EstimateGeneration(*config, g, o); err != nil {
			return nil, err
		}
	}
	m, err := engine.LoadModel(d, folder, engine.Fresh{})
	if err != nil {
		return nil, err
	}
	if n := m.Config().Vocab; n != v.Size() {
		m.Close()
		return nil, &fault.Input{File: filepath.Join(folder, engine.ConfigFile), Found: fmt.Sprintf("a vocabulary of %d tokens", n),
			Expected: fmt.Sprintf("the %d tokens of %s", v.Size(), token.FileName)}
	}
	return m, nil
}

// checkFingerprint compares the vocabulary with the one that training noted in the weights. Weights of somebody else carry
// no note and are believed.
func checkFingerprint(weights string, v *token.Vocabulary) error {
	f, err := checkpoint.Open(weights)
	if err != nil {
		return err
	}
	defer f.Close()
	if noted := f.Metadata()["vocabulary"]; noted != "" && noted != v.Fingerprint() {
		return &fault.Input{File: weights, Found: "weights that were trained on another vocabulary", Expected: "those of the " + token.FileName + " beside them"}
	}
	return nil
}
