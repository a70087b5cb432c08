// Command logits writes the logits of a checkpoint for three records of made-up tokens, so that another program can compare
// its own: logits CHECKPOINT OUT.safetensors.
package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"

	"github.com/synehrgy/synehrgy-go/synehrgy/checkpoint"
	"github.com/synehrgy/synehrgy-go/synehrgy/engine"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: logits CHECKPOINT OUT.safetensors")
		os.Exit(2)
	}
	if err := write(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "logits:", err)
		os.Exit(1)
	}
}

func write(folder, out string) error {
	device, err := engine.OpenDevice(engine.CPU, 0)
	if err != nil {
		return err
	}
	defer device.Close()
	model, err := engine.LoadModel(device, folder, engine.Fresh{})
	if err != nil {
		return err
	}
	defer model.Close()
	shape := model.Config()
	batch := &engine.Batch{Offsets: []int32{0, 1, 65, 65 + int32(min(shape.Context, 300))}}
	rng := rand.New(rand.NewPCG(1, 2))
	for range batch.Offsets[3] {
		batch.Tokens = append(batch.Tokens, rng.Int32N(int32(shape.Vocab)))
	}
	trainer, err := engine.NewTrainer(model, engine.TrainerOptions{MaxSegments: 3, MaxTokens: len(batch.Tokens), Inference: true})
	if err != nil {
		return err
	}
	defer trainer.Close()
	logits := make([]float64, len(batch.Tokens)*shape.Vocab)
	if err := trainer.Logits(context.Background(), batch, logits); err != nil {
		return err
	}
	n := int64(len(batch.Tokens))
	w, err := checkpoint.Create(out, []checkpoint.TensorInfo{
		{Name: "logits", Dtype: checkpoint.F64, Shape: []int64{n, int64(shape.Vocab)}},
		{Name: "offsets", Dtype: checkpoint.I32, Shape: []int64{4}},
		{Name: "tokens", Dtype: checkpoint.I32, Shape: []int64{n}},
	}, nil)
	if err != nil {
		return err
	}
	defer w.Discard()
	for _, tensor := range []struct {
		name string
		data any
	}{{"logits", logits}, {"offsets", batch.Offsets}, {"tokens", batch.Tokens}} {
		var data bytes.Buffer
		if err := binary.Write(&data, binary.LittleEndian, tensor.data); err != nil {
			return err
		}
		if err := w.Bytes(tensor.name, data.Bytes()); err != nil {
			return err
		}
	}
	return w.Close()
}
