#!/usr/bin/env python3
"""Do others read the GGUF and safetensors files we write?

Runs peer_gguf (ninja peer_gguf), which writes a model anew as F32, F16, BF16
and Q8_0.  The gguf package must find the same metadata and, bit for bit, what
it makes of the original's values itself; so must the safetensors package.
llama.cpp, where llama-cpp-python is installed, must load each file and go on
from a prompt; what it says is printed.  The exit status is the verdict.

Use: python3 -m venv V && V/bin/pip install gguf safetensors torch
     V/bin/pip install llama-cpp-python        # builds llama.cpp; optional
     V/bin/python bench/peers/check_gguf.py BUILD/bench/peer_gguf MODEL.gguf
"""

import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import torch
from gguf import GGUFReader
from gguf.constants import GGMLQuantizationType
from gguf.quants import dequantize, quantize
from safetensors.torch import load_file

try:
    import llama_cpp
except ImportError:
    llama_cpp = None

DTYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
PROMPT = "The capital of France is"


def metadata(reader):
    return [(k, f.types, bytes(b"".join(p.tobytes() for p in f.parts[3:])))
            for k, f in reader.fields.items() if not k.startswith("GGUF.")]


def check_gguf(original, path, kind):
    copy = GGUFReader(path)
    wrong = []
    if metadata(copy) != metadata(original):
        wrong.append("metadata")
    tensors = {t.name: t for t in copy.tensors}
    if len(tensors) != len(original.tensors):
        wrong.append("count")
    for t in original.tensors:
        values = dequantize(t.data, t.tensor_type)
        want = kind if len(t.shape) > 1 else "F32"
        data = quantize(values, GGMLQuantizationType[want])
        got = tensors.get(t.name)
        if (got is None or got.tensor_type.name != want
                or list(got.shape) != list(t.shape)
                or got.data.tobytes() != data.tobytes()):
            wrong.append(t.name)
    print(f"gguf package, {kind}: {len(tensors)} tensors, "
          f"{path.stat().st_size} bytes, wrong: {wrong or 'none'}")
    return not wrong


def check_safetensors(original, path, kind):
    copy = load_file(path)
    wrong = [] if len(copy) == len(original.tensors) else ["count"]
    for t in original.tensors:
        values = torch.from_numpy(
            np.array(dequantize(t.data, t.tensor_type), dtype=np.float32))
        want = values.to(DTYPES[kind] if len(t.shape) > 1 else torch.float32)
        got = copy.get(t.name)
        if got is None or got.dtype != want.dtype or not torch.equal(got, want):
            wrong.append(t.name)
    print(f"safetensors package, {kind}: {len(copy)} tensors, "
          f"wrong: {wrong or 'none'}")
    return not wrong


def plain_buffers():
    """llama.cpp without repacked weights: its AMX kernels end the process
    where the system withholds the tile registers."""
    default = llama_cpp.llama_model_default_params

    def params():
        p = default()
        p.use_extra_bufts = False
        return p

    llama_cpp.llama_model_default_params = params
    llama_cpp.llama_cpp.llama_model_default_params = params


def check_llama(path, kind):
    model = llama_cpp.Llama(str(path), n_ctx=64, n_threads=1, verbose=False)
    text = model(PROMPT, max_tokens=12, temperature=0)["choices"][0]["text"]
    print(f"llama.cpp, {kind}: {PROMPT!r} -> {text!r}")
    return "Paris" in text


def main():
    program, model = sys.argv[1:3]
    original = GGUFReader(model)
    good = True
    if llama_cpp is not None:
        plain_buffers()
    with tempfile.TemporaryDirectory() as root:
        for kind in ("F32", "F16", "BF16", "Q8_0"):
            path = pathlib.Path(root) / f"{kind}.gguf"
            subprocess.run([program, model, path, kind], check=True)
            good &= check_gguf(original, path, kind)
            if llama_cpp is not None:
                good &= check_llama(path, kind)
            path.unlink()
        for kind in DTYPES:
            path = pathlib.Path(root) / f"{kind}.safetensors"
            subprocess.run([program, model, path, kind], check=True)
            good &= check_safetensors(original, path, kind)
            path.unlink()
    if llama_cpp is None:
        print("llama-cpp-python is not installed: llama.cpp was not asked")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
