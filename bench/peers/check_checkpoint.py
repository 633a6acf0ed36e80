#!/usr/bin/env python3
"""Does transformers read our checkpoints and compute the same from them?

Runs peer_checkpoint (ninja peer_checkpoint), which writes a policy and a
reward model of every architecture.  Each must load without a word and give our
logits or, on one padded batch of unequal lengths, our scores; saved again by
transformers, every tensor must have the same bytes.  Prints the largest
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
EOS = 1


def check(root, name):
    folder = root / name
    ours = load_file(root / (name + ".safetensors"))
    tokens = ours["tokens"].long()
    real = tokens >= 0
    is_lm = "logits" in ours
    cls = (AutoModelForCausalLM if is_lm
           else AutoModelForSequenceClassification)
    model, info = cls.from_pretrained(folder, output_loading_info=True,
                                      attn_implementation="eager")
    wrong = {k: v for k, v in info.items() if v}
    pad = model.config.pad_token_id
    if not is_lm and (pad is None or pad == EOS):
        wrong["pad_token_id"] = pad
    batch = torch.where(real, tokens, pad)
    with torch.no_grad():
        logits = model(batch, attention_mask=real.long()).logits
    if is_lm:
        logits = logits[real]
    want = (ours["logits"] if is_lm else ours["scores"]).view(logits.shape)
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
        names = sorted(p.name for p in root.iterdir() if p.is_dir())
        results = [check(root, n) for n in names]
    print(f"{sum(results)} of {len(results)} as they should be")
    sys.exit(0 if all(results) and results else 1)


if __name__ == "__main__":
    main()
