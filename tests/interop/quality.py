"""Trains what our run trained, from the same weights on the same batches, and compares the validation losses.

    python quality.py FOLDER METRICS.jsonl...

FOLDER is what tests/interop/batches wrote: fresh weights and packed batches. Each METRICS file is that of a run of ours, and
the first one also gives the learning rates. transformers' GPT-2 trains with torch's AdamW, one record a row: rows are
filled up on the right, which a causal model does not see, and the loss is the mean over the targets of the batch, as ours
is. Prints a table and fails where the last validation losses lie more than 0.005 nats apart.
"""
import argparse
import json
import math
import os
import pathlib
import sys
import time

import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

BAR = 0.005  # nats a token
FIRST = 0.001  # the losses of the first step: the same weights and the same batch


def read_metrics(path):
    lines = [json.loads(line) for line in pathlib.Path(path).read_text().splitlines()]
    steps = [line for line in lines if line["type"] == "train"]
    validations = {line["step"]: line["bits_per_token"] * math.log(2) for line in lines if line["type"] == "validation"}
    return steps, validations


def rows(data, split, batch):
    """The records of a batch as rows filled up on the right, (tokens, targets) of one group of about equal lengths after
    another; target -100 is none."""
    tokens, targets, records = data[split + ".tokens"], data[split + ".targets"], data[split + ".records"]
    first, last = data[split + ".batches"][batch : batch + 2].tolist()
    bounds = records[first : last + 1].tolist()
    spans = sorted(zip(bounds, bounds[1:]), key=lambda span: span[0] - span[1])
    while spans:
        longest = spans[0][1] - spans[0][0]
        group = [span for span in spans if span[1] - span[0] > longest * 0.7]
        spans = spans[len(group) :]
        x = torch.zeros(len(group), longest, dtype=torch.long)
        y = torch.full((len(group), longest), -100)
        for i, (a, b) in enumerate(group):
            x[i, : b - a] = tokens[a:b]
            y[i, : b - a] = torch.where(targets[a:b] < 0, -100, targets[a:b])
        yield x, y


def loss_sum(model, x, y):
    logits = model(x, use_cache=False).logits
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), y.flatten(), ignore_index=-100, reduction="sum")


def targets_of(groups):
    return sum((y >= 0).sum().item() for _, y in groups)


def validate(model, data):
    total = targets = 0.0
    with torch.inference_mode():
        for batch in range(len(data["tuning.batches"]) - 1):
            groups = list(rows(data, "tuning", batch))
            total += sum(loss_sum(model, x, y).item() for x, y in groups)
            targets += targets_of(groups)
    return total / targets


def train(folder, steps, at, options):
    """Returns the loss of every step, and of the validations after the steps `at`, in nats a token."""
    data = load_file(folder / "batches.safetensors")
    model = AutoModelForCausalLM.from_pretrained(folder / "fresh", dtype=torch.float32, attn_implementation="sdpa").train()
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            assert module.p == 0, "the comparison needs training without dropout"
    decayed = [p for p in model.parameters() if p.dim() >= 2]
    kept = [p for p in model.parameters() if p.dim() < 2]
    groups = [{"params": decayed, "weight_decay": options.decay}, {"params": kept, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, betas=(options.beta1, options.beta2), eps=1e-8)
    losses, validations, began = [], {}, time.time()
    for step, line in enumerate(steps):
        groups = list(rows(data, "train", step))
        targets, total = targets_of(groups), 0.0
        for x, y in groups:
            loss = loss_sum(model, x, y) / targets
            loss.backward()
            total += loss.item()
        torch.nn.utils.clip_grad_norm_(model.parameters(), options.clip)
        for group in optimizer.param_groups:
            group["lr"] = line["lr"]
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(total)
        if line["step"] in at:
            validations[line["step"]] = validate(model, data)
            seconds = time.time() - began
            print(f"torch: step {line['step']}, {validations[line['step']]:.4f} nats, {seconds:.0f} s", file=sys.stderr)
    return losses, validations


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("metrics", nargs="+", type=pathlib.Path)
    parser.add_argument("--decay", type=float, required=True)
    parser.add_argument("--beta1", type=float, required=True)
    parser.add_argument("--beta2", type=float, required=True)
    parser.add_argument("--clip", type=float, required=True)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    runs = {path.parent.name: read_metrics(path) for path in options.metrics}
    steps, validations = next(iter(runs.values()))
    losses, theirs = train(options.folder, steps, set(validations), options)

    print("| after step | torch " + torch.__version__ + " | " + " | ".join(f"ours {name} | difference" for name in runs) + " |")
    print("|---|---|" + "---|---|" * len(runs))
    for step in sorted(theirs):
        cells = [f"{ours[step]:.4f} | {ours[step] - theirs[step]:+.4f}" for _, ours in runs.values()]
        print(f"| {step} | {theirs[step]:.4f} | " + " | ".join(cells) + " |")
    last, bad = max(theirs), []
    for name, (ours, validation) in runs.items():
        first = ours[0]["bits_per_token"] * math.log(2) - losses[0]
        apart = validation[last] - theirs[last]
        print(f"{name}: the losses of the first step differ by {first:+.2e} nats, the last validation losses by {apart:+.4f}")
        if not abs(first) <= FIRST:
            bad.append(f"{name} did not begin with the same weights and batch")
        if not abs(apart) <= BAR:
            bad.append(f"{name} ends more than {BAR} nats from torch")
    if bad:
        sys.exit("; ".join(bad))


if __name__ == "__main__":
    main()
