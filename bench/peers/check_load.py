#!/usr/bin/env python3
"""How much memory does loading a model take?

Saves the model of a GGUF file with transformers as F32 and as BF16, each in
one file and in shards, and loads each folder, and the GGUF file itself, with
peer_greedy to be run in float and frozen in bf16.  The most that was ever
resident may be 1.2 times the parameters in that precision.  Prints it; the
exit status is the verdict.

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
    ratios = []
    for run in ("f32", "bf16"):
        said = json.loads(subprocess.run([program, run, path], check=True,
                                         stdout=subprocess.PIPE).stdout)
        ratios.append(said["load_mib"] / said["params_mib"])
        print(f"{name}, run in {run}: {said['load_s']:.2f} s, "
              f"{said['load_mib']:.0f} MiB resident for "
              f"{said['params_mib']:.0f} MiB of parameters, ratio "
              f"{ratios[-1]:.3f}")
    return max(ratios) <= LIMIT


def main():
    program, gguf = sys.argv[1], pathlib.Path(sys.argv[2])
    results = [load(program, "gguf", gguf)]
    read = AutoModelForCausalLM.from_pretrained(
        str(gguf.parent), gguf_file=gguf.name, dtype=torch.float32)
    # What came from GGUF transformers does not save; the same in a new model.
    config = read.config.to_dict()
    config.pop("quantization_config", None)
    model = AutoModelForCausalLM.from_config(type(read.config)(**config))
    model.load_state_dict(read.state_dict())
    del read
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
