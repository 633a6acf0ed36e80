#!/usr/bin/env python3
"""Do other programs read what `plumb export` writes, and compute the same?

From SmolLM2-135M-Instruct (tools/get-smollm2.sh), for each type:

    gguf          reads the file: every tensor within the type's rounding
                  of the original's values, tokens and merges the same
    transformers  reads the F32 file and the folders: greedy tokens, and the
                  ids of hostile texts, as from the original
    llama.cpp     reads the F32 file: 64 greedy tokens on 20 prompts
                  (tests/data/smollm2/greedy.json), ids of the prompts

Prints what was compared; the exit status is the verdict.

Use: python3 -m venv V
     V/bin/pip install torch transformers gguf llama-cpp-python
     V/bin/python bench/peers/check_export.py BUILD/plumb
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy
import torch
import transformers
from gguf import GGUFReader
from gguf.quants import dequantize
from transformers import AutoModelForCausalLM, AutoTokenizer

transformers.utils.logging.disable_progress_bar()
HERE = pathlib.Path(__file__).resolve().parent
GOLDEN = HERE.parent.parent / "tests/data/smollm2/greedy.json"
# What rounding to a type may change: relative to the value, or for Q8_0 to
# the largest of its block (half a step of 127, and the scale is F16).
ROUNDING = {"f32": 0.0, "f16": 2.0**-11, "bf16": 2.0**-8,
            "q8_0": 0.5 / 127 + 2.0**-11}
TEXTS = ["Hello, world!  ", "naïve café 👩‍👩‍👧‍👦", "x = 12345.678\n\n\ty",
         "日本語とハングル 한국어", "\u00a0\u2028 'll 'S", "<|im_start|>user"]
good = True


def report(ok, what):
    global good
    good = good and ok
    print(("ok    " if ok else "WRONG ") + what, flush=True)


def values(reader):
    return {t.name: dequantize(t.data, t.tensor_type) for t in reader.tensors}


def check_gguf(path, kind, original):
    reader = GGUFReader(path)
    ours, theirs = values(reader), values(original)
    worst = 0.0
    for name, x in theirs.items():
        y = ours[name].reshape(x.shape)
        scale = numpy.abs(x)
        if kind == "q8_0" and x.ndim == 2:
            blocks = scale.reshape(-1, 32).max(axis=1, keepdims=True)
            scale = numpy.broadcast_to(blocks, (blocks.shape[0], 32))
            scale = scale.reshape(x.shape)
        # Denormal numbers of F16 have a step of their own.
        error = numpy.abs(x - y) - 2.0**-25
        worst = max(worst, float((error / (scale + 1e-30)).max()))
    report(ours.keys() == theirs.keys() and worst <= ROUNDING[kind],
           f"gguf reads {kind}: {len(ours)} tensors, largest relative "
           f"difference {worst:.3g}, allowed {ROUNDING[kind]:.3g}")
    for key in ("tokens", "merges", "token_type"):
        name = "tokenizer.ggml." + key
        a = reader.fields[name].contents()
        b = original.fields[name].contents()
        report(a == b, f"gguf: {key} of {kind} as the original's, {len(a)}")


def greedy(model, ids, n):
    with torch.no_grad():
        out = model.generate(torch.tensor([ids]), max_new_tokens=n,
                             do_sample=False, eos_token_id=2, pad_token_id=0)
    return out[0, len(ids):].tolist()


def check_transformers(what, model, tokenizer, original, cases):
    model = model.eval()
    same = sum(greedy(model, c["prompt_ids"], 16) == c["response_ids"][:16]
               for c in cases)
    report(same == len(cases), f"transformers, {what}: 16 greedy tokens on "
           f"{same} of {len(cases)} prompts")
    ids = [tokenizer.encode(t, add_special_tokens=False) for t in TEXTS]
    want = [original.encode(t, add_special_tokens=False) for t in TEXTS]
    report(ids == want, f"transformers, {what}: ids of {len(TEXTS)} texts")
    chat = [{"role": "user", "content": "hi"}]
    report(tokenizer.apply_chat_template(chat, tokenize=False)
           == original.apply_chat_template(chat, tokenize=False),
           f"transformers, {what}: chat template")


def check_llama(path, cases):
    try:
        from llama_cpp import Llama
    except ImportError:
        print("      llama-cpp-python is not installed: not checked")
        return
    # The cache in F32, as the others have it.
    llama = Llama(str(path), n_ctx=512, n_threads=os.cpu_count(), type_k=0,
                  type_v=0, flash_attn=False, verbose=False)
    same = same_ids = plain = 0
    for case in cases:
        out = []
        for token in llama.generate(case["prompt_ids"], temp=0.0):
            out.append(token)
            if token == 2 or len(out) == 64:
                break
        llama.reset()
        same += out == case["response_ids"]
        if case["chat"] == "none":
            plain += 1
            same_ids += case["prompt_ids"] == llama.tokenize(
                case["prompt"].encode(), add_bos=False, special=False)
    report(same == len(cases), f"llama.cpp reads f32: 64 greedy tokens on "
           f"{same} of {len(cases)} prompts")
    report(same_ids == plain, f"llama.cpp: ids of {same_ids} of {plain} "
           "prompts")


def main():
    plumb = pathlib.Path(sys.argv[1]).resolve()
    cases = json.loads(GOLDEN.read_text(encoding="utf-8"))["cases"]
    found = subprocess.run([HERE.parent.parent / "tools/get-smollm2.sh"],
                           check=True, text=True, capture_output=True).stdout
    folder, name = os.path.split(found.strip())
    original = GGUFReader(found.strip())
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=name)
    few = cases[::7]
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        for kind in ROUNDING:
            path = work / f"{kind}.gguf"
            subprocess.run([plumb, "export", found.strip(), "--gguf", "--type",
                            kind, "--out", path], check=True,
                           stdout=subprocess.DEVNULL)
            check_gguf(path, kind, original)
        check_llama(work / "f32.gguf", cases)
        for kind in ("f32", "bf16"):
            out = work / kind
            subprocess.run([plumb, "export", found.strip(), "--type", kind,
                            "--out", out], check=True,
                           stdout=subprocess.DEVNULL)
            model = AutoModelForCausalLM.from_pretrained(out)
            report(model.dtype == {"f32": torch.float32,
                                   "bf16": torch.bfloat16}[kind],
                   f"transformers, {kind} folder: dtype {model.dtype}")
            if kind == "f32":
                check_transformers("f32 folder", model,
                                   AutoTokenizer.from_pretrained(out),
                                   tokenizer, few)
        check_transformers(
            "f32.gguf", AutoModelForCausalLM.from_pretrained(
                work, gguf_file="f32.gguf", dtype=torch.float32),
            AutoTokenizer.from_pretrained(work, gguf_file="f32.gguf"),
            tokenizer, few)
    sys.exit(0 if good else 1)


main()
