#!/bin/sh
# Trains small checkpoints (GPT-2 and Llama shape, and Llama with a window, which is a Mistral there), loads each with transformers,
# and compares the logits of both sides.
set -eu
cd "$(dirname "$0")/../.."
. tests/interop/venv.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bin/synehrgy simulate --patients 60 --seed 3 --out "$work/cohort"
bin/synehrgy tokenize --cohort "$work/cohort" --out "$work/corpus"
for shape in "gpt2 4 0" "llama 2 0" "llama 2 16"; do
  # shellcheck disable=SC2086  # three words
  set -- $shape
  name=$1-$3
  cat >"$work/$name.yaml" <<YAML
train: {family: $1, width: 64, layers: 2, heads: 4, kv_heads: $2, window: $3, ffn: 160, steps: 12, batch_tokens: 4096}
YAML
  bin/synehrgy train --corpus "$work/corpus" --out "$work/$name" --config "$work/$name.yaml"
  go run ./tests/interop/logits "$work/$name/last" "$work/$name.logits.safetensors"
  "$interop/bin/python" tests/interop/compare.py "$work/$name/last" "$work/$name.logits.safetensors"
done
