#!/usr/bin/env python3
"""32 prompts x 64 new tokens at once in transformers, sampled at temperature
1, as bench_generate does it.

Use: V/bin/python speed_generate.py f32|bf16 MODEL_FOLDER
                                    [THREADS [sdpa|eager [dynamic|static]]]
                                    [RUNS]

What is left out is what was fastest where this was tried.
"""

import sys

import torch
from transformers import AutoModelForCausalLM

import speed

PROMPTS, PROMPT, NEW = 32, 64, 64


def main():
    kind, folder = sys.argv[1], sys.argv[2]
    rest = sys.argv[3:] + [None] * 4
    speed.threads(int(rest[0] or 2))
    attention, cache, runs = rest[1] or "sdpa", rest[2] or "static", int(
        rest[3] or 3)
    torch.manual_seed(1)
    model = AutoModelForCausalLM.from_pretrained(
        folder, attn_implementation=attention,
        dtype=torch.bfloat16 if kind == "bf16" else torch.float32)
    model.eval()
    tokens = torch.randint(1000, 40000, (PROMPTS, PROMPT))
    more = {"cache_implementation": "static"} if cache == "static" else {}

    def step():
        with torch.inference_mode():
            out = model.generate(
                tokens, attention_mask=torch.ones_like(tokens), do_sample=True,
                temperature=1.0, top_k=0, top_p=1.0, min_new_tokens=NEW,
                max_new_tokens=NEW, pad_token_id=2, **more)
        assert out.shape == (PROMPTS, PROMPT + NEW)

    speed.told(speed.timed(step, runs), kind)


if __name__ == "__main__":
    main()
