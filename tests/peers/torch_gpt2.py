#!/usr/bin/env python3
"""What a user would run instead: the published configuration on PyTorch and transformers.

    python3 torch_gpt2.py train    [--layout padded|packed] [--compile] [--context 1024] [--batch 8] [--steps 6] [--device cuda]
    python3 torch_gpt2.py generate [--batch 64] [--length 256] [--context 1024] [--device cuda]

Prints one JSON object. Tokens are *real* tokens: padding is work, but it is not output.

train     GPT-2, 4 layers, width 384, 4 heads, vocabulary 5,115, dropout 0.1, AdamW 3e-4, clip 1, fp32.
          padded: one record a row, cut at the context, padded to it (the published way). A round is steps x batch records
          whose lengths are the quantiles of the published distribution, those of `synehrgy bench train --lengths published`.
          packed: records end to end in full rows, no cross-record mask: the strongest easy PyTorch baseline,
          a little too fast, because it skips the mask that a correct packed run needs.
generate  ancestral sampling, top-k 50, key/value cache, one prompt token, fixed length.

--device cuda takes the first GPU, with autocast to bf16: what ours computes in there.
ATEN_CPU_CAPABILITY=avx2 holds PyTorch, and what it compiles, to AVX2; MKL and oneDNN have variables of their own.
"""
import argparse
import contextlib
import json
import math
import os
import statistics
import time

import numpy as np
import torch
from transformers import GPT2Config, GPT2LMHeadModel

VOCAB = 5115
PAD = 2


def model(a, dropout=0.1):
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=VOCAB, n_positions=a.context, n_embd=384, n_layer=4, n_head=4,
        resid_pdrop=dropout, embd_pdrop=dropout, attn_pdrop=dropout, bos_token_id=0, eos_token_id=1, pad_token_id=PAD,
    )
    return GPT2LMHeadModel(config).to(a.device)


def autocast(a):
    return torch.autocast("cuda", dtype=torch.bfloat16) if a.device == "cuda" else contextlib.nullcontext()


def now(a):
    """The time when the device has done what was asked for."""
    if a.device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def lengths(rng, n):
    """The quantiles of a log-normal distribution, median 700, sigma 1.45 (mean about 2,000), in a random order."""
    normal = statistics.NormalDist()
    curve = [max(16, int(700 * math.exp(1.45 * normal.inv_cdf((i + 0.5) / n)))) for i in range(n)]
    return rng.permutation(curve)


def batches(a):
    """The inputs of a round, and how many real tokens each has."""
    rng = np.random.default_rng(0)
    of_records = np.minimum(lengths(rng, a.steps * a.batch), a.context).reshape(a.steps, a.batch)
    for n in of_records:
        ids = torch.from_numpy(rng.integers(3, VOCAB, (a.batch, a.context))).to(a.device)
        if a.layout == "packed":
            yield dict(input_ids=ids, labels=ids), ids.numel()
            continue
        keep = (torch.arange(a.context)[None] < torch.from_numpy(n)[:, None]).to(a.device)
        ids = torch.where(keep, ids, PAD)
        yield dict(input_ids=ids, attention_mask=keep.long(), labels=torch.where(keep, ids, -100)), int(n.sum())


def train(a):
    m = model(a).train()
    optimizer = torch.optim.AdamW(m.parameters(), lr=3e-4)
    forward = torch.compile(m) if a.compile else m

    def step(inputs):
        with autocast(a):
            loss = forward(**inputs).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(m.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    inputs = list(batches(a))
    for _ in range(a.warmup):
        step(inputs[0][0])
    rates = []
    for _ in range(a.repeats):
        began = now(a)
        for batch, _ in inputs:
            step(batch)
        rates.append(sum(tokens for _, tokens in inputs) / (now(a) - began))
    return dict(layout=a.layout, compile=a.compile, context=a.context, steps=a.steps, tokens_per_s=max(rates))


def generate(a):
    m = model(a).eval()
    prompt = torch.zeros(a.batch, 1, dtype=torch.long, device=a.device)

    def draw(length):
        began = now(a)
        m.generate(
            prompt, attention_mask=torch.ones_like(prompt), do_sample=True, top_k=50, max_new_tokens=length,
            min_new_tokens=length, use_cache=True,
        )
        return a.batch * length / (now(a) - began)

    with torch.inference_mode(), autocast(a):
        draw(4)  # not timed
        rates = [draw(a.length) for _ in range(a.repeats)]
    return dict(length=a.length, tokens_per_s=max(rates))


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("task", choices=["train", "generate"])
    p.add_argument("--layout", choices=["padded", "packed"], default="padded")
    p.add_argument("--compile", action="store_true")
    p.add_argument("--context", type=int, default=1024)
    p.add_argument("--batch", type=int, default=8)
    p.add_argument("--steps", type=int, default=6, help="of a round")
    p.add_argument("--warmup", type=int, default=1, help="steps that are not timed")
    p.add_argument("--length", type=int, default=256)
    p.add_argument("--repeats", type=int, default=1, help="rounds; the best counts")
    p.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    p.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    if torch.backends.cpu.get_cpu_capability() == "AVX2":
        import torch._inductor.config as inductor

        inductor.cpp.simdlen = 256
    result = dict(train=train, generate=generate)[a.task](a)
    result.update(
        task=a.task, peer="torch", version=torch.__version__, isa=torch.backends.cpu.get_cpu_capability(), batch=a.batch,
        threads=a.threads, device=torch.cuda.get_device_name() if a.device == "cuda" else "cpu",
    )
    print(json.dumps(result))


if __name__ == "__main__":
    main()
