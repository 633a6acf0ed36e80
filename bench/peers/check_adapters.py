#!/usr/bin/env python3
"""Do PEFT and Plumb read each other's adapters and compute the same?

Trains a tiny model with an adapter in each stage, then
  - loads our adapter folders with PEFT on their base and compares with the
    merged folder of the same run: logits, scores of a padded batch;
  - lets PEFT make an adapter of random weights and compares its log-probs of
    a greedy reply with those plumb generate prints.
Prints the largest differences; the exit status is the verdict.

Use: V/bin/python bench/peers/check_adapters.py build/release/plumb
     (V: a venv with torch, transformers, peft)
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import (AutoModelForCausalLM,
                          AutoModelForSequenceClassification, GPT2Config,
                          Qwen2Config, Qwen3Config)

# Logits and scores are of order 1 and both sides compute in float.
TOLERANCE = 1e-4
SHAPE = ("--channels 16 --layers 2 --heads 4 --kv-heads 2 --feed-forward 24"
         .split())
LORA = "--lora-rank 4 --lora-alpha 8".split()
PROMPT = "where is order #Q4?"


def make_runs(plumb, root):
    def run(*args, out=None):
        text = subprocess.run([plumb, *args, "--quiet"], cwd=root, check=True,
                              stdout=subprocess.PIPE).stdout
        if out:
            (root / out).write_bytes(text)
        return text

    run("world", "tokenizer", "--out", "desk")
    run("world", "demos", "--demos", "200", "--out", "demos.jsonl")
    run("world", "tickets", "--split", "ranking", "--tickets", "12",
        "--out", "asked.jsonl")
    run("sft", "--data", "demos.jsonl", "--tokenizer", "desk", *SHAPE,
        "--epochs", "1", "--out", "base")
    run("sft", "--data", "demos.jsonl", "--model", "base", *LORA,
        "--lr", "0.03", "--out", "sft")
    run("generate", "-m", "sft", "--prompts", "asked.jsonl", "--samples", "3",
        "--max-new", "12", "--out", "candidates.jsonl")
    run("world", "rank", "--data", "candidates.jsonl", "--out",
        "rankings.jsonl")
    run("reward", "--data", "rankings.jsonl", "--model", "sft", *LORA,
        "--lr", "0.03", "--out", "reward")
    return run


def newest(run):
    return sorted((run / "checkpoints").iterdir())[-1]


def check_policy(root):
    folder = newest(root / "sft")
    base = AutoModelForCausalLM.from_pretrained(newest(root / "base"))
    tokens = torch.arange(3, 19).unsqueeze(0)
    with torch.no_grad():
        plain = base(tokens).logits.clone()
        apart = PeftModel.from_pretrained(base, folder)(tokens).logits
        merged = AutoModelForCausalLM.from_pretrained(
            root / "sft" / "merged")(tokens).logits
    moved = float((apart - plain).abs().max())
    error = float((apart - merged).abs().max())
    print(f"policy: PEFT on the base against our merged folder {error:.2g}; "
          f"the adapter moves logits by {moved:.2g}")
    return error <= TOLERANCE and moved > 100 * TOLERANCE


def check_reward(root):
    folder = newest(root / "reward")
    base = AutoModelForSequenceClassification.from_pretrained(
        root / "sft" / "merged", num_labels=1)
    merged = AutoModelForSequenceClassification.from_pretrained(
        root / "reward" / "merged")
    base.config.pad_token_id = merged.config.pad_token_id
    pad = merged.config.pad_token_id
    batch = torch.tensor([[5, 9, 12, 7, 30], [8, 3, 4, pad, pad]])
    with torch.no_grad():
        apart = PeftModel.from_pretrained(base, folder)(batch).logits
        whole = merged(batch).logits
    error = float((apart - whole).abs().max())
    print(f"reward: PEFT on the base against our merged folder {error:.2g} "
          f"(scores {[round(float(x), 4) for x in whole.flatten()]})")
    return error <= TOLERANCE and float(whole.abs().max()) > 100 * TOLERANCE


def others(root):
    """Tiny models of other architectures, over the desk's vocabulary."""
    desk = newest(root / "base")
    ours = json.loads((desk / "config.json").read_text())
    common = dict(vocab_size=ours["vocab_size"], bos_token_id=None,
                  eos_token_id=ours["eos_token_id"],
                  pad_token_id=ours["pad_token_id"])
    wide = dict(hidden_size=16, intermediate_size=24, num_hidden_layers=2,
                num_attention_heads=4, num_key_value_heads=2, head_dim=4,
                max_position_embeddings=64, **common)
    shapes = {
        "qwen2": (Qwen2Config(**{k: v for k, v in wide.items()
                                 if k != "head_dim"}),
                  ["q_proj", "v_proj", "up_proj"]),
        "qwen3": (Qwen3Config(**wide), ["k_proj", "o_proj", "gate_proj"]),
        "gpt2": (GPT2Config(n_embd=16, n_layer=2, n_head=4, n_positions=64,
                            **common), ["c_attn", "c_proj", "c_fc"]),
    }
    for name, (config, targets) in shapes.items():
        model = AutoModelForCausalLM.from_config(config)
        with torch.no_grad():
            for p in model.parameters():
                p.copy_(torch.randn_like(p) * 0.3 + (p.dim() == 1))
        model.save_pretrained(root / name)
        for extra in ("tokenizer.json", "tokenizer_config.json"):
            (root / name / extra).write_bytes((desk / extra).read_bytes())
        yield name, root / name, targets


def check_theirs(root, run, name, folder, targets):
    torch.manual_seed(3)
    base = AutoModelForCausalLM.from_pretrained(folder)
    model = get_peft_model(base, LoraConfig(
        task_type="CAUSAL_LM", r=3, lora_alpha=5, use_rslora=True,
        target_modules=targets))
    with torch.no_grad():
        for key, p in model.named_parameters():
            if "lora_" in key:
                p.copy_(torch.randn_like(p) * 0.3)
    theirs = root / ("theirs_" + name)
    model.save_pretrained(theirs)
    config = json.loads((theirs / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = str(folder)
    (theirs / "adapter_config.json").write_text(json.dumps(config))
    for extra in ("tokenizer.json", "tokenizer_config.json"):
        (theirs / extra).write_bytes((folder / extra).read_bytes())
    ours = json.loads(run("generate", "-m", theirs.name, "--prompt", PROMPT,
                          "--greedy", "--max-new", "12", "--json"))
    ids = torch.tensor([ours["prompt_ids"] + ours["response_ids"]])
    # What is never sampled is banned in our distribution.
    generation = folder / "generation_config.json"
    banned = (json.loads(generation.read_text()).get("suppress_tokens") or []
              if generation.exists() else [])
    with torch.no_grad():
        logits = model(ids).logits[0]
    logits[:, banned] = -float("inf")
    logp = logits.log_softmax(-1)
    first = len(ours["prompt_ids"])
    want = [float(logp[first - 1 + t, i])
            for t, i in enumerate(ours["response_ids"])]
    error = max(abs(a - b) for a, b in zip(want, ours["logp"]))
    same = all(int(logits[first - 1 + t].argmax()) == i
               for t, i in enumerate(ours["response_ids"]))
    print(f"{name}: PEFT's adapter in plumb: log-probs of {len(want)} greedy "
          f"tokens differ by {error:.2g}, tokens the same: {same}")
    return error <= TOLERANCE and same


def check_ours(root, run, name, folder):
    """A run of ours on their base, read by PEFT."""
    run("sft", "--data", "demos.jsonl", "--model", folder.name, *LORA,
        "--lr", "0.03", "--epochs", "1", "--max-tokens", "60",
        "--too-long", "skip", "--out", "sft_" + name)
    base = AutoModelForCausalLM.from_pretrained(folder)
    tokens = torch.arange(3, 19).unsqueeze(0)
    with torch.no_grad():
        plain = base(tokens).logits.clone()
        apart = PeftModel.from_pretrained(
            base, newest(root / ("sft_" + name)))(tokens).logits
        merged = AutoModelForCausalLM.from_pretrained(
            root / ("sft_" + name) / "merged")(tokens).logits
    moved = float((apart - plain).abs().max())
    error = float((apart - merged).abs().max())
    print(f"{name}: PEFT on the base against our merged folder {error:.2g}; "
          f"the adapter moves logits by {moved:.2g}")
    return error <= TOLERANCE and moved > 100 * TOLERANCE


def main():
    plumb = str(pathlib.Path(sys.argv[1]).resolve())
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        run = make_runs(plumb, root)
        good = [check_policy(root), check_reward(root),
                check_theirs(root, run, "llama", newest(root / "base"),
                             ["q_proj", "k_proj", "o_proj", "down_proj"])]
        for name, folder, targets in others(root):
            good.append(check_theirs(root, run, name, folder, targets))
            good.append(check_ours(root, run, name, folder))
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
