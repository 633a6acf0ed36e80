#!/usr/bin/env python3
"""32 prompts x 64 new tokens at once in llama.cpp: one batch of prompts, then
rounds of 32 tokens, sampled at temperature 1, as bench_generate does it.

Use: V/bin/python speed_llama.py f32|bf16 MODEL.gguf [THREADS [RUNS [CACHE]]]

MODEL.gguf is in f32; for bf16 its matrices are converted first, by llama.cpp
itself.  CACHE is the format of keys and values, f32, f16 or bf16.  Without it
f32 with f32 and f16 with bf16: as wide as bench_generate keeps them, which has
them in bf16 there.  f16 is llama.cpp's own default.
"""

import ctypes
import os
import sys
import tempfile

import llama_cpp as L
import numpy as np

import speed_clock as clock

# Of ggml.h; the binding does not name them.
GGML_TYPE = {"f32": 0, "f16": 1, "bf16": 30}
CACHE = {"f32": "f32", "bf16": "f16"}

PROMPTS, PROMPT, NEW = 32, 64, 64


def put(batch, i, token, position, sequence, wants_logits):
    """Entry i of a batch."""
    batch.token[i] = token
    batch.pos[i] = position
    batch.n_seq_id[i] = 1
    batch.seq_id[i][0] = sequence
    batch.logits[i] = wants_logits


def generate(context, sampler, tokens):
    """All prompts in one batch, then all of their next tokens at a time."""
    L.llama_memory_clear(L.llama_get_memory(context), True)
    batch = L.llama_batch_init(PROMPTS * PROMPT, 0, 1)
    for s in range(PROMPTS):
        for t in range(PROMPT):
            put(batch, s * PROMPT + t, int(tokens[s, t]), t, s,
                t + 1 == PROMPT)
    batch.n_tokens = PROMPTS * PROMPT
    assert L.llama_decode(context, batch) == 0
    rows = [s * PROMPT + PROMPT - 1 for s in range(PROMPTS)]
    for t in range(NEW):
        drawn = [L.llama_sampler_sample(sampler, context, row) for row in rows]
        if t + 1 == NEW:
            break
        for s, token in enumerate(drawn):
            put(batch, s, token, PROMPT + t, s, True)
        batch.n_tokens = PROMPTS
        assert L.llama_decode(context, batch) == 0
        rows = list(range(PROMPTS))
    L.llama_batch_free(batch)


def converted(path, folder):
    """The model with matrices in bf16."""
    out = os.path.join(folder, "bf16.gguf")
    params = L.llama_model_quantize_default_params()
    params.ftype = L.LLAMA_FTYPE_MOSTLY_BF16
    params.output_tensor_type = params.token_embedding_type = GGML_TYPE["bf16"]
    status = L.llama_model_quantize(path.encode(), out.encode(),
                                    ctypes.byref(params))
    assert status == 0
    return out


def opened(path, kind):
    """The model, in the format asked for."""
    params = L.llama_model_default_params()
    if kind == "f32":
        return L.llama_model_load_from_file(path.encode(), params)
    with tempfile.TemporaryDirectory() as folder:
        # A mapped file outlives its name.
        return L.llama_model_load_from_file(
            converted(path, folder).encode(), params)


def main():
    kind, path = sys.argv[1], sys.argv[2]
    threads = int(sys.argv[3]) if len(sys.argv) > 3 else 2
    runs = int(sys.argv[4]) if len(sys.argv) > 4 else 3
    cache = sys.argv[5] if len(sys.argv) > 5 else CACHE[kind]
    silent = L.llama_log_callback(lambda *_: None)
    L.llama_log_set(silent, ctypes.c_void_p(0))
    L.llama_backend_init()
    model = opened(path, kind)
    params = L.llama_context_default_params()
    params.n_ctx = PROMPTS * (PROMPT + NEW)
    params.n_batch = params.n_ubatch = PROMPTS * PROMPT
    params.n_seq_max = PROMPTS
    params.n_threads = params.n_threads_batch = threads
    params.type_k = params.type_v = GGML_TYPE[cache]
    context = L.llama_init_from_model(model, params)
    sampler = L.llama_sampler_chain_init(
        L.llama_sampler_chain_default_params())
    L.llama_sampler_chain_add(sampler, L.llama_sampler_init_temp(1.0))
    L.llama_sampler_chain_add(sampler, L.llama_sampler_init_dist(1))
    tokens = np.random.default_rng(1).integers(1000, 40000,
                                               (PROMPTS, PROMPT))
    clock.told(clock.timed(lambda: generate(context, sampler, tokens), runs),
               kind)


if __name__ == "__main__":
    main()
