#!/usr/bin/env python3
"""32 prompts x 64 new tokens at once in transformers, sampled at temperature
1, as bench_generate does it.

Use: V/bin/python speed_generate.py f32|bf16 MODEL_FOLDER [THREADS]
"""

import sys

import torch
from transformers import AutoModelForCausalLM

import speed

PROMPTS, PROMPT, NEW = 32, 64, 64


def main():
    kind = sys.argv[1]
    speed.threads(int(sys.argv[3]) if len(sys.argv) > 3 else 2)
    torch.manual_seed(1)
    model = AutoModelForCausalLM.from_pretrained(
        sys.argv[2], dtype=torch.bfloat16 if kind == "bf16" else torch.float32)
    model.eval()
    tokens = torch.randint(1000, 40000, (PROMPTS, PROMPT))

    def step():
        with torch.no_grad():
            out = model.generate(
                tokens, attention_mask=torch.ones_like(tokens), do_sample=True,
                temperature=1.0, top_k=0, top_p=1.0, min_new_tokens=NEW,
                max_new_tokens=NEW, pad_token_id=2)
        assert out.shape == (PROMPTS, PROMPT + NEW)

    speed.told(speed.timed(step, 3), kind)


if __name__ == "__main__":
    main()
