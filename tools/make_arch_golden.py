#!/usr/bin/env python3
"""Golden vectors of every architecture for tests/model, from transformers.

Folders of tests/data/golden as make_golden.py describes them, each also in
another dress: spelling of config.json (v4, v5), type and number of files, old
buffers, several EOS tokens.  facts "stops" lists the tokens that end a reply.

Use: python3 -m venv V && V/bin/pip install torch transformers safetensors
     V/bin/python tools/make_arch_golden.py tests/data/golden
"""

import json
import pathlib
import shutil
import sys

import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import (AutoConfig, AutoModelForCausalLM,
                          AutoModelForSequenceClassification)

from make_golden import EOS, NEW_TOKENS, PAD, PROMPTS, SEQUENCES

V, C, L = 48, 16, 2
COMMON = dict(vocab_size=V, pad_token_id=PAD, eos_token_id=EOS,
              bos_token_id=None, tie_word_embeddings=True)
LLAMA = dict(COMMON, hidden_size=C, num_hidden_layers=L,
             num_attention_heads=4, num_key_value_heads=2, head_dim=6,
             intermediate_size=20, max_position_embeddings=64,
             rms_norm_eps=1e-5)
GPT2 = dict(COMMON, n_embd=C, n_layer=L, n_head=4, n_positions=64,
            n_inner=20, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0)
LLAMA3 = dict(rope_type="llama3", rope_theta=100.0, factor=4.0,
              low_freq_factor=0.5, high_freq_factor=2.0,
              original_max_position_embeddings=16)
LINEAR = dict(rope_type="linear", rope_theta=100.0, factor=3.0)


def build(cls, model_type, seed, keys):
    """A model whose every tensor matters: wide weights, uneven norms."""
    torch.manual_seed(seed)
    model = cls.from_config(AutoConfig.for_model(model_type, **keys),
                            attn_implementation="eager")
    with torch.no_grad():
        for name, p in model.named_parameters():
            if name.endswith("bias"):
                p.copy_(0.3 * torch.randn_like(p))
            elif p.dim() == 1:
                p.copy_(1 + 0.2 * torch.randn_like(p))
            elif "embed" in name or "wte" in name or "wpe" in name:
                p.copy_(0.3 * torch.randn_like(p))
            else:
                p.copy_(2 * C ** -0.5 * torch.randn_like(p))
    return model.eval()


def gradients(model, loss):
    model.zero_grad()
    loss.backward()
    return {"grad." + n: p.grad.float().contiguous()
            for n, p in model.named_parameters()}


def greedy(model, prompt, stops):
    ids = list(prompt)
    for _ in range(NEW_TOKENS):
        top = model(torch.tensor([ids])).logits[0, -1].topk(2)
        # Below this two tokens are too close to call in float.
        if (top.values[0] - top.values[1]).item() < 1e-2:
            return None
        ids.append(int(top.indices[0]))
        if ids[-1] in stops:
            break
    out = model.generate(torch.tensor([prompt]), do_sample=False,
                         max_new_tokens=NEW_TOKENS, eos_token_id=stops,
                         attention_mask=torch.ones(1, len(prompt)).long())
    assert out[0].tolist() == ids
    return ids[len(prompt):]


def lively(model, stops):
    """Greedy runs that repeat one token would hide errors of position."""
    runs = [greedy(model, p, stops) for p in PROMPTS]
    return None not in runs and any(r[-1] in stops for r in runs) and \
        sum(len(set(r)) for r in runs) >= 7 * len(runs)


def spell(folder, version, keys):
    """config.json as the wanted version of transformers writes it."""
    path = folder / "config.json"
    config = json.loads(path.read_text())
    rope = config.pop("rope_parameters", None)
    dtype = config.pop("dtype", config.pop("torch_dtype", "float32"))
    if version == 5:
        config["dtype"] = dtype
        if rope:
            config["rope_parameters"] = rope
    else:
        config["torch_dtype"] = dtype
        if rope:
            config["rope_theta"] = rope.pop("rope_theta")
            plain = rope["rope_type"] == "default"
            config["rope_scaling"] = None if plain else rope
    config.update(keys)
    path.write_text(json.dumps(config, indent=2) + "\n")


def undress(folder):
    """Keys without the trunk's name, and the buffers of old files."""
    path = folder / "model.safetensors"
    tensors = {k.removeprefix("transformer."): v
               for k, v in load_file(path).items()}
    for i in range(L):
        tensors[f"h.{i}.attn.bias"] = \
            torch.ones(64, 64).tril().bool().view(1, 1, 64, 64)
        tensors[f"h.{i}.attn.masked_bias"] = torch.tensor(-1e4)
    save_file(tensors, path, metadata={"format": "pt"})


def write(folder, model, facts, tensors, dress):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    model.to(dress.get("dtype", torch.float32)).save_pretrained(
        folder, max_shard_size=dress.get("shard", "1GB"))
    spell(folder, dress.get("version", 5), dress.get("config", {}))
    if dress.get("bare"):
        undress(folder)
    facts = dict(torch=torch.__version__,
                 transformers=transformers.__version__,
                 sequences=SEQUENCES, **facts)
    (folder / "golden.json").write_text(json.dumps(facts) + "\n")
    save_file(tensors, folder / "golden.safetensors")
    for path in folder.iterdir():
        path.chmod(0o644)


def make_lm(folder, seed, model_type, keys, stops=(EOS,), grads=True,
            **dress):
    # The file's rounding comes first: double of what it will hold.
    def made(s):
        m = build(AutoModelForCausalLM, model_type, s, keys)
        for p in m.parameters():
            p.data = p.data.to(dress.get("dtype", torch.float32)).float()
        return m.double()

    stops = list(stops)
    model = made(seed)
    while not lively(model, stops):
        seed += 1
        model = made(seed)
    logits, loss = [], 0
    for ids in SEQUENCES:
        z = model(torch.tensor([ids])).logits[0]
        logits.append(z)
        loss = loss - z.log_softmax(-1)[range(len(ids) - 1), ids[1:]].sum()
    tensors = gradients(model, loss) if grads else {}
    with torch.no_grad():
        tensors["logits"] = torch.cat(logits).float().contiguous()
        facts = dict(loss=loss.item(), prompts=PROMPTS, new_tokens=NEW_TOKENS,
                     stops=stops,
                     greedy=[greedy(model, p, stops) for p in PROMPTS])
    write(folder, model, facts, tensors, dress)
    print(folder.name, "seed", seed)


def make_score(folder, seed, model_type, keys):
    model = build(AutoModelForSequenceClassification, model_type, seed,
                  dict(keys, num_labels=1)).double()
    scores = torch.stack([model(torch.tensor([ids])).logits[0, 0]
                          for ids in SEQUENCES])
    weight = torch.arange(1, len(SEQUENCES) + 1, dtype=torch.double)
    tensors = gradients(model, (weight * scores).sum())
    tensors["scores"] = scores.detach().float().contiguous()
    write(folder, model, {}, tensors, {})


def main():
    root = pathlib.Path(sys.argv[1])
    torch.set_num_threads(1)
    plain = dict(rope_type="default", rope_theta=100.0)
    make_lm(root / "llama3", 1, "llama",
            dict(LLAMA, rope_parameters=LLAMA3, attention_bias=True),
            version=4)
    make_lm(root / "linear", 1, "llama", dict(LLAMA, rope_parameters=LINEAR),
            grads=False, dtype=torch.float16)
    make_lm(root / "mistral", 1, "mistral",
            dict(LLAMA, rope_parameters=plain, sliding_window=None,
                 tie_word_embeddings=False), grads=False, shard="6KB",
            version=4)
    qwen = dict(LLAMA, rope_parameters=plain)
    qwen.pop("head_dim")
    make_lm(root / "qwen2", 1, "qwen2", qwen, dtype=torch.bfloat16,
            shard="4KB", config=dict(use_sliding_window=False,
                                     sliding_window=32768,
                                     max_window_layers=2))
    make_lm(root / "qwen3", 1, "qwen3",
            dict(LLAMA, rope_parameters=plain, eos_token_id=[EOS, 7]),
            stops=(EOS, 7))
    make_lm(root / "gpt2", 1, "gpt2", GPT2, bare=True)
    make_score(root / "gpt2_score", 3, "gpt2", GPT2)
    make_score(root / "qwen2_score", 3, "qwen2", qwen)


if __name__ == "__main__":
    main()
