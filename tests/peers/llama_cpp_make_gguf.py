#!/usr/bin/env python3
"""Writes the published GPT-2 shape with random weights as a GGUF file: llama_cpp_make_gguf.py OUT.gguf [CONTEXT]."""
import sys

import gguf
import numpy as np

WIDTH, LAYERS, HEADS, VOCAB = 384, 4, 4, 5115


def main():
    path, context = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1024
    rng = np.random.default_rng(0)

    def matrix(name, *shape):
        g.add_tensor(name, rng.normal(0, 0.02, shape).astype(np.float32))

    def constant(name, value, n):
        g.add_tensor(name, np.full(n, value, np.float32))

    g = gguf.GGUFWriter(path, "gpt2")
    g.add_context_length(context)
    g.add_embedding_length(WIDTH)
    g.add_feed_forward_length(4 * WIDTH)
    g.add_block_count(LAYERS)
    g.add_head_count(HEADS)
    g.add_layer_norm_eps(1e-5)
    g.add_vocab_size(VOCAB)
    g.add_file_type(0)
    g.add_tokenizer_model("none")
    matrix("token_embd.weight", VOCAB, WIDTH)
    matrix("position_embd.weight", context, WIDTH)
    constant("output_norm.weight", 1, WIDTH)
    constant("output_norm.bias", 0, WIDTH)
    matrix("output.weight", VOCAB, WIDTH)
    for i in range(LAYERS):
        for name in ("attn_norm", "ffn_norm"):
            constant(f"blk.{i}.{name}.weight", 1, WIDTH)
            constant(f"blk.{i}.{name}.bias", 0, WIDTH)
        for name, rows, columns in (
            ("attn_qkv", 3 * WIDTH, WIDTH), ("attn_output", WIDTH, WIDTH),
            ("ffn_up", 4 * WIDTH, WIDTH), ("ffn_down", WIDTH, 4 * WIDTH),
        ):
            matrix(f"blk.{i}.{name}.weight", rows, columns)
            constant(f"blk.{i}.{name}.bias", 0, rows)
    g.write_header_to_file()
    g.write_kv_data_to_file()
    g.write_tensors_to_file()
    g.close()


if __name__ == "__main__":
    main()
