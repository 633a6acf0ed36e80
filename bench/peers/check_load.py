#!/usr/bin/env python3
"""How much memory does loading a model take?

Saves the model of a GGUF file with transformers as F32 and as BF16, each in
one file and in shards, and loads each folder, and the GGUF file itself, with
peer_greedy.  The most that was ever resident may be 1.2 times the parameters
in the precision they are run in (F32).  Prints it; the exit status is the
verdict.

Use: python3 -m venv V && V/bin/pip install torch transformers gguf safetensors
     V/bin/python bench/peers/check_load.py BUILD/bench/peer_greedy MODEL.gguf
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import torch
from transformers import AutoModelForCausalLM

LIMIT = 1.2


def load(program, name, path):
    said = json.loads(subprocess.run([program, path], check=True,
                                     stdout=subprocess.PIPE).stdout)
    ratio = said["load_mib"] / said["params_mib"]
    print(f"{name}: {said['load_s']:.2f} s, {said['load_mib']:.0f} MiB "
          f"resident for {said['params_mib']:.0f} MiB of parameters, "
          f"ratio {ratio:.3f}")
    return ratio <= LIMIT


def main():
    program, gguf = sys.argv[1], pathlib.Path(sys.argv[2])
    results = [load(program, "gguf", gguf)]
    model = AutoModelForCausalLM.from_pretrained(
        str(gguf.parent), gguf_file=gguf.name, dtype=torch.float32)
    with tempfile.TemporaryDirectory() as tmp:
        for dtype in (torch.float32, torch.bfloat16):
            model.to(dtype)
            for shard in ("10GB", "100MB"):
                name = f"{str(dtype).removeprefix('torch.')}, {shard} shards"
                folder = pathlib.Path(tmp) / name.replace(", ", "_")
                model.save_pretrained(folder, max_shard_size=shard)
                results.append(load(program, name, folder))
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
