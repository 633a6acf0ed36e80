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
                          AutoModelForSequenceClassification)

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


def check_theirs(root, run):
    torch.manual_seed(3)
    base = AutoModelForCausalLM.from_pretrained(newest(root / "base"))
    model = get_peft_model(base, LoraConfig(
        task_type="CAUSAL_LM", r=3, lora_alpha=5, use_rslora=True,
        target_modules=["q_proj", "k_proj", "o_proj", "down_proj"]))
    with torch.no_grad():
        for name, p in model.named_parameters():
            if "lora_" in name:
                p.copy_(torch.randn_like(p) * 0.3)
    model.save_pretrained(root / "theirs")
    config = json.loads((root / "theirs/adapter_config.json").read_text())
    config["base_model_name_or_path"] = str(newest(root / "base"))
    (root / "theirs/adapter_config.json").write_text(json.dumps(config))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (root / "theirs" / name).write_bytes(
            (newest(root / "base") / name).read_bytes())
    ours = json.loads(run("generate", "-m", "theirs", "--prompt", PROMPT,
                          "--greedy", "--max-new", "12", "--json"))
    ids = torch.tensor([ours["prompt_ids"] + ours["response_ids"]])
    # What is never sampled is banned in our distribution.
    banned = json.loads((newest(root / "base") / "generation_config.json")
                        .read_text())["suppress_tokens"]
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
    print(f"PEFT's adapter in plumb: log-probs of {len(want)} greedy tokens "
          f"differ by {error:.2g}, tokens the same: {same}")
    return error <= TOLERANCE and same


def main():
    plumb = str(pathlib.Path(sys.argv[1]).resolve())
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        run = make_runs(plumb, root)
        good = [check_policy(root), check_reward(root),
                check_theirs(root, run)]
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
