"""Loads a checkpoint of ours with transformers and compares its logits with those that the core wrote.

    python compare.py CHECKPOINT LOGITS.safetensors

LOGITS holds tokens i32 [T], offsets i32 [S+1] and logits f64 [T,V]. The bar is max |ours - theirs| / max |theirs| <= 1e-4.
"""
import sys

import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM


def main() -> None:
    model = AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=torch.float32).eval()
    ours = load_file(sys.argv[2])
    offsets = ours["offsets"].tolist()
    with torch.inference_mode():
        theirs = torch.cat([model(ours["tokens"][a:b].long()[None]).logits[0] for a, b in zip(offsets, offsets[1:])]).double()
    error = ((ours["logits"] - theirs).abs().max() / theirs.abs().max()).item()
    print(f"{type(model).__name__}: {theirs.shape[0]} positions, relative difference of the logits {error:.2e}")
    if not error <= 1e-4:
        sys.exit("the logits differ by more than 1e-4")


if __name__ == "__main__":
    main()
