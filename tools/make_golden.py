#!/usr/bin/env python3
"""Golden vectors for tests/model from PyTorch and transformers.

Each folder of tests/data/golden holds a model as transformers saves it and
what transformers computes with it in double precision (its norms and rotary
tables stay in float):

    config.json  model.safetensors  generation_config.json
    golden.json          sequences, prompts and greedy continuations, the ids
                         that top_k and top_p keep
    golden.safetensors   logits or scores; grad.<name>, the gradient of
                             sum over tokens of -log p(next token)      (LM)
                             sum over sequences i of (i+1) * score_i    (score)

Use: python3 -m venv V && V/bin/pip install torch transformers safetensors
     V/bin/python tools/make_golden.py tests/data/golden
"""

import json
import pathlib
import sys

import torch
import transformers
from safetensors.torch import save_file
from transformers import (LlamaConfig, LlamaForCausalLM,
                          LlamaForSequenceClassification)
from transformers.generation import (TemperatureLogitsWarper,
                                     TopKLogitsWarper, TopPLogitsWarper)

PAD, EOS = 0, 1
SEQUENCES = [[5, 9, 3, 30, 12, 7, 2, 1], [4], [22, 17, 17, 6, 40, 1, 8],
             [11, 2, 45, 33, 20, 19, 18, 3, 9, 10, 41, 27, 1]]
PROMPTS = [[5, 9, 3], [22, 17, 17, 6, 40], [4], [11, 2, 45, 33, 20, 19, 18]]
NEW_TOKENS = 24
CUTS = [(1.0, 5, 1.0), (1.0, 0, 0.5), (0.7, 12, 0.8), (1.5, 3, 0.95)]


def config(**over):
    return LlamaConfig(**{**dict(
        vocab_size=48, hidden_size=16, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=4, head_dim=4,
        intermediate_size=24, max_position_embeddings=64, rms_norm_eps=1e-5,
        rope_theta=10000.0, pad_token_id=PAD, eos_token_id=EOS,
        bos_token_id=None, tie_word_embeddings=False, attention_bias=False,
        mlp_bias=False), **over})


def build(cls, cfg, seed):
    """A model whose every tensor matters: wide weights, uneven norms."""
    torch.manual_seed(seed)
    model = cls(cfg)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if p.dim() == 1:
                p.copy_(1 + 0.2 * torch.randn_like(p))
            else:
                p.copy_(torch.randn_like(p) * (0.3 if "embed" in name else
                                               2 * p.shape[1] ** -0.5))
    return model


def gradients(model, loss):
    model.zero_grad()
    loss.backward()
    return {"grad." + n: p.grad.float().contiguous()
            for n, p in model.named_parameters()}


def kept_ids(logits):
    rows = []
    for temperature, k, p in CUTS:
        z = TemperatureLogitsWarper(temperature)(None, logits[None].clone())
        if k:
            z = TopKLogitsWarper(k)(None, z)
        if p < 1:
            z = TopPLogitsWarper(p)(None, z)
        kept = torch.isfinite(z[0]).nonzero()[:, 0].tolist()
        rows.append(dict(temperature=temperature, top_k=k, top_p=p, kept=kept))
    return rows


def greedy(model, prompt):
    ids, margin = list(prompt), 1e9
    for _ in range(NEW_TOKENS):
        z = model(torch.tensor([ids])).logits[0, -1]
        top = z.topk(2)
        margin = min(margin, float(top.values[0] - top.values[1]))
        ids.append(int(top.indices[0]))
        if ids[-1] == EOS:
            break
    out = model.generate(torch.tensor([prompt]), do_sample=False,
                         max_new_tokens=NEW_TOKENS,
                         attention_mask=torch.ones(1, len(prompt)).long())
    assert out[0].tolist() == ids
    # Below this two tokens are too close to call in float.
    return ids[len(prompt):] if margin > 1e-2 else None


def write(folder, model, facts, tensors):
    folder.mkdir(parents=True, exist_ok=True)
    model.float().save_pretrained(folder)
    facts = dict(torch=torch.__version__,
                 transformers=transformers.__version__,
                 sequences=SEQUENCES, **facts)
    (folder / "golden.json").write_text(json.dumps(facts) + "\n")
    save_file(tensors, folder / "golden.safetensors")
    for path in folder.iterdir():
        path.chmod(0o644)


def lively(model):
    """Greedy runs that repeat one token would hide errors of position."""
    runs = [greedy(model, p) for p in PROMPTS]
    return None not in runs and any(EOS in r for r in runs) and \
        sum(len(set(r)) for r in runs) >= 7 * len(runs)


def make_lm(folder, seed, **over):
    model = build(LlamaForCausalLM, config(**over), seed).double()
    while not lively(model):
        seed += 1
        model = build(LlamaForCausalLM, config(**over), seed).double()
    logits, loss = [], 0
    for ids in SEQUENCES:
        z = model(torch.tensor([ids])).logits[0]
        logits.append(z)
        loss = loss - z.log_softmax(-1)[range(len(ids) - 1), ids[1:]].sum()
    tensors = gradients(model, loss)
    with torch.no_grad():
        tensors["logits"] = torch.cat(logits).float().contiguous()
        facts = dict(loss=float(loss), prompts=PROMPTS, new_tokens=NEW_TOKENS,
                     greedy=[greedy(model, p) for p in PROMPTS],
                     cuts=kept_ids(logits[0][0]))
    write(folder, model, facts, tensors)


def make_score(folder, seed):
    model = build(LlamaForSequenceClassification, config(num_labels=1), seed)
    model = model.double()
    scores = torch.stack([model(torch.tensor([ids])).logits[0, 0]
                          for ids in SEQUENCES])
    weight = torch.arange(1, len(SEQUENCES) + 1, dtype=torch.double)
    tensors = gradients(model, (weight * scores).sum())
    tensors["scores"] = scores.detach().float().contiguous()
    write(folder, model, {}, tensors)


def main():
    root = pathlib.Path(sys.argv[1])
    torch.set_num_threads(1)
    make_lm(root / "llama2l", 1)
    make_lm(root / "gqa_tied", 1000, num_key_value_heads=2, head_dim=6,
            tie_word_embeddings=True, rope_theta=500.0)
    make_score(root / "score", 3)


if __name__ == "__main__":
    main()
