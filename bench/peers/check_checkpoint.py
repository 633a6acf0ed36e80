#!/usr/bin/env python3
"""Does transformers read our checkpoints and compute the same from them?

Runs peer_checkpoint (ninja peer_checkpoint), loads each folder it wrote with
transformers and compares logits and scores; then saves the model again with
transformers and compares every tensor's bytes.  Prints the largest
differences; the exit status is the verdict.

Use: python3 -m venv V && V/bin/pip install torch transformers safetensors
     V/bin/python bench/peers/check_checkpoint.py BUILD/bench/peer_checkpoint
"""

import pathlib
import subprocess
import sys
import tempfile

import torch
import transformers
from safetensors.torch import load_file
from transformers import (AutoModelForCausalLM,
                          AutoModelForSequenceClassification,
                          GenerationConfig)

# Logits are of order 1 and both sides compute in float.
TOLERANCE = 1e-5


def check(root, name):
    folder = root / name
    ours = load_file(root / (name + ".safetensors"))
    tokens = ours["tokens"].long()
    is_lm = "logits" in ours
    cls = (AutoModelForCausalLM if is_lm
           else AutoModelForSequenceClassification)
    model, info = cls.from_pretrained(folder, output_loading_info=True,
                                      attn_implementation="eager")
    wrong = {k: v for k, v in info.items() if v}
    with torch.no_grad():
        logits = model(tokens).logits
    want = (ours["logits"].view(logits.shape) if is_lm
            else ours["scores"].view(logits.shape))
    error = float((logits - want).abs().max())

    again = root / (name + "_again")
    model.save_pretrained(again)
    a = load_file(folder / "model.safetensors")
    b = load_file(again / "model.safetensors")
    same = a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)
    suppressed = (GenerationConfig.from_pretrained(folder).suppress_tokens
                  if is_lm else None)
    print(f"{name}: {type(model).__name__} dtype {model.dtype} "
          f"largest |logit| {float(want.abs().max()):.3g}, "
          f"difference {error:.2g}, tensors equal {same}, "
          f"suppress_tokens {suppressed}, loading problems {wrong or 'none'}")
    return (error <= TOLERANCE and same and not wrong
            and model.dtype == torch.float32
            and (not is_lm or suppressed == [0, 5]))


def main():
    torch.set_num_threads(1)
    print(f"transformers {transformers.__version__}")
    with tempfile.TemporaryDirectory() as tmp:
        subprocess.run([sys.argv[1], tmp], check=True)
        root = pathlib.Path(tmp)
        results = [check(root, n) for n in ("policy", "tied", "reward")]
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
