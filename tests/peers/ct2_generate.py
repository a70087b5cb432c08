#!/usr/bin/env python3
"""A ready-made CPU generator to compare with: CTranslate2, on the published GPT-2 shape with random weights.

    python3 ct2_generate.py [--batch 64] [--length 256] [--compute float32|int8|...] [--workers 1] [--threads 2]

GPT-2, 4 layers, width 384, 4 heads, vocabulary 5,115, tied head, ancestral sampling with top-k 50, key/value cache,
one prompt token, fixed length: the same task as `torch_gpt2.py generate`. The model is written straight from numpy
arrays by CTranslate2's own model specification, so that neither PyTorch, transformers nor a tokenizer is needed.
--workers 2 --threads 1 gives each half of the batch its own thread, instead of both threads one product.
Prints one JSON object; tokens_per_s is the best of --repeats, all tokens of all rows.

CT2_FORCE_CPU_ISA=AVX2 holds it to AVX2; MKL and oneDNN have variables of their own.
"""
import argparse
import json
import os
import tempfile
import time

import ctranslate2
import numpy as np
from ctranslate2.specs import common_spec, transformer_spec


def write_model(path, d=384, layers=4, heads=4, vocab=5115, context=1024, seed=0):
    rng = np.random.default_rng(seed)

    def weights(*shape):
        return rng.normal(0, 0.02, shape).astype(np.float32)

    def norm(s):
        s.gamma, s.beta = np.ones(d, np.float32), np.zeros(d, np.float32)

    def linear(s, o, i):
        s.weight, s.bias = weights(o, i), np.zeros(o, np.float32)

    spec = transformer_spec.TransformerDecoderModelSpec.from_config(
        layers, heads, pre_norm=True, activation=common_spec.Activation.GELUTanh
    )
    decoder = spec.decoder
    decoder.scale_embeddings = False
    decoder.embeddings.weight = weights(vocab, d)
    decoder.position_encodings.encodings = weights(context, d)
    norm(decoder.layer_norm)
    decoder.projection.weight = decoder.embeddings.weight
    for layer in decoder.layer:
        norm(layer.self_attention.layer_norm)
        linear(layer.self_attention.linear[0], 3 * d, d)
        linear(layer.self_attention.linear[1], d, d)
        norm(layer.ffn.layer_norm)
        linear(layer.ffn.linear_0, 4 * d, d)
        linear(layer.ffn.linear_1, d, 4 * d)
    spec.register_vocabulary(["<s>", "</s>", "<unk>"] + ["t%d" % i for i in range(3, vocab)])
    spec.config.bos_token, spec.config.eos_token, spec.config.unk_token = "<s>", "</s>", "<unk>"
    spec.validate()
    spec.optimize()
    spec.save(path)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--batch", type=int, default=64)
    p.add_argument("--length", type=int, default=256)
    p.add_argument("--context", type=int, default=1024)
    p.add_argument("--compute", default="float32")
    p.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="threads inside one product")
    p.add_argument("--workers", type=int, default=1, help="batches computed side by side")
    p.add_argument("--repeats", type=int, default=1)
    a = p.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        write_model(folder, context=a.context)
        generator = ctranslate2.Generator(
            folder, device="cpu", compute_type=a.compute, inter_threads=a.workers, intra_threads=a.threads
        )

    def draw(length):
        began = time.perf_counter()
        out = generator.generate_batch(
            [["<s>"]] * a.batch, max_length=length, min_length=length, sampling_topk=50, include_prompt_in_result=False,
            max_batch_size=(a.batch + a.workers - 1) // a.workers, batch_type="examples",
        )
        seconds = time.perf_counter() - began
        tokens = sum(len(o.sequences_ids[0]) for o in out)
        assert tokens == a.batch * length, tokens
        return tokens / seconds

    draw(4)  # not timed
    rates = [draw(a.length) for _ in range(a.repeats)]
    print(json.dumps(dict(
        task="generate", peer="ctranslate2", version=ctranslate2.__version__, batch=a.batch, length=a.length,
        compute=generator.compute_type, workers=a.workers, threads=a.threads, tokens_per_s=max(rates),
    )))


if __name__ == "__main__":
    main()
