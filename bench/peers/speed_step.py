#!/usr/bin/env python3
"""A training step of GPT-2's smallest shape in PyTorch: 124 million random
parameters, 4 x 64 tokens, forward, backward and AdamW, as bench_step does it.

Use: V/bin/python speed_step.py f32|bf16 [THREADS]
"""

import sys

import torch
from transformers import GPT2Config, GPT2LMHeadModel

import speed


def main():
    kind = sys.argv[1]
    speed.threads(int(sys.argv[2]) if len(sys.argv) > 2 else 2)
    torch.manual_seed(1)
    config = GPT2Config(resid_pdrop=0, embd_pdrop=0, attn_pdrop=0)
    model = GPT2LMHeadModel(config)
    model.train()
    tokens = torch.randint(0, config.vocab_size, (4, 65))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)

    def step():
        with speed.autocast(kind):
            out = model(tokens[:, :-1])
            loss = torch.nn.functional.cross_entropy(
                out.logits.flatten(0, 1).float(), tokens[:, 1:].flatten())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    speed.told(speed.timed(step, 5, warm=2), kind)


if __name__ == "__main__":
    main()
