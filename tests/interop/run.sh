#!/bin/sh
# Trains two small checkpoints (GPT-2 and Llama shape), loads each with transformers, and compares the logits of both sides.
set -eu
cd "$(dirname "$0")/../.."
. tests/interop/venv.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bin/synehrgy simulate --patients 60 --seed 3 --out "$work/cohort"
bin/synehrgy tokenize --cohort "$work/cohort" --out "$work/corpus"
for family in gpt2 llama; do
  cat >"$work/$family.yaml" <<YAML
train: {family: $family, width: 64, layers: 2, heads: 4, kv_heads: $([ $family = llama ] && echo 2 || echo 4), ffn: 160, steps: 12, batch_tokens: 4096}
YAML
  bin/synehrgy train --corpus "$work/corpus" --out "$work/$family" --config "$work/$family.yaml"
  go run ./tests/interop/logits "$work/$family/last" "$work/$family.logits.safetensors"
  "$interop/bin/python" tests/interop/compare.py "$work/$family/last" "$work/$family.logits.safetensors"
done
