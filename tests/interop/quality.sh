#!/bin/sh
# Trains a small model on a simulated cohort, once for each precision and once with torch and transformers, all from the same
# weights on the same batches, and compares the validation losses: a fast step must not be a worse one.
#
#   sh tests/interop/quality.sh [fp32 [bf16 …]]        STEPS: 2000
set -eu
cd "$(dirname "$0")/../.."
. tests/interop/venv.sh
[ $# -gt 0 ] || set -- fp32
steps=${STEPS:-2000}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bin/synehrgy simulate --patients 2000 --seed 1 --out "$work/cohort"
bin/synehrgy tokenize --cohort "$work/cohort" --out "$work/corpus"
cat >"$work/config.yaml" <<YAML
train:
  {width: 128, layers: 2, heads: 4, batch_tokens: 2048, steps: $steps, eval_every: $((steps / 4)), patience: 0, dropout: 0, seed: 1,
   lr: 0.001, warmup: 50, schedule: cosine, final_lr: 0.1, decay: 0.1, betas: [0.9, 0.95], clip: 1}
YAML
go run ./tests/interop/batches "$work/config.yaml" "$work/corpus" "$work"
metrics=
for precision in "$@"; do
  flag=; [ "$precision" = fp32 ] || flag="--precision $precision"
  # shellcheck disable=SC2086  # no flag or two words
  bin/synehrgy train --corpus "$work/corpus" --out "$work/$precision" --config "$work/config.yaml" $flag
  metrics="$metrics $work/$precision/metrics.jsonl"
done
# shellcheck disable=SC2086  # a list of words
OMP_WAIT_POLICY=passive "$interop/bin/python" tests/interop/quality.py "$work" $metrics --decay 0.1 --beta1 0.9 --beta2 0.95 --clip 1
