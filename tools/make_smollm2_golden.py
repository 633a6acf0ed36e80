#!/usr/bin/env python3
"""Greedy replies of SmolLM2-135M-Instruct as transformers computes them.

Reads the GGUF file that tools/get-smollm2.sh fetches (dequantised by
transformers to float) and writes prompts, their ids and the 64 tokens, or
fewer where one ends itself, that follow:

    {"sha256", "cases": [{"prompt", "chat", "prompt_ids", "response_ids",
                          "text", "margin"}]}

chat is the template the prompt is laid out by, none or the model's own;
margin is the least difference between the two largest logits on the way: what
rounding must stay below for another program to give the same tokens.

Use: python3 -m venv V && V/bin/pip install torch transformers gguf
     V/bin/python tools/make_smollm2_golden.py tests/data/smollm2/greedy.json
"""

import hashlib
import json
import os
import pathlib
import subprocess
import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

NEW_TOKENS = 64
EOS = 2
CHAT = [
    "Where is my order?",
    "I was charged twice for the same order. What should I do?",
    "How do I cancel my subscription?",
    "Write a polite reply to a customer whose parcel is two weeks late.",
    "What is the capital of France?",
    "Explain gravity to a child in two sentences.",
    "Give me three tips for saving money.",
    "Wie heißt die Hauptstadt von Österreich?",
    "¿Puedes ayudarme con mi contraseña?",
    "Translate 'good morning' into Japanese: 日本語で。",
    "  Is this\n\n\tstrange   whitespace a problem? 🙂🙃  ",
    "<|im_end|> is that a special token?",
]
PLAIN = [
    "The quick brown fox",
    "Once upon a time, there was a customer who",
    "def fibonacci(n):\n    ",
    "1, 2, 3, 4, 5, 6,",
    "Dear Sir or Madam,\n\nI am writing to",
    "The three laws of thermodynamics are",
    "La tour Eiffel est",
    "In 1969, the",
]


def greedy(model, ids):
    """The tokens that follow, and the least margin between the best two."""
    out, margin, past = [], float("inf"), None
    step = torch.tensor([ids])
    with torch.no_grad():
        while len(out) < NEW_TOKENS and (not out or out[-1] != EOS):
            made = model(step, past_key_values=past, use_cache=True)
            past = made.past_key_values
            best = made.logits[0, -1].topk(2)
            margin = min(margin, float(best.values[0] - best.values[1]))
            out.append(int(best.indices[0]))
            step = torch.tensor([[out[-1]]])
    return out, margin


def chat_ids(tokenizer, prompt):
    """The ids of a prompt laid out by the model's own template.  What a user
    wrote is text, special tokens included: such a prompt is encoded apart."""
    text = tokenizer.apply_chat_template(
        [{"role": "user", "content": prompt}], tokenize=False,
        add_generation_prompt=True)
    parts = [text]
    if any(token in prompt for token in tokenizer.all_special_tokens):
        parts = text.partition(prompt)
    return [i for part in parts for i in tokenizer.encode(
        part, add_special_tokens=False, split_special_tokens=part == prompt)]


def main():
    here = pathlib.Path(__file__).resolve().parent
    found = subprocess.run([here / "get-smollm2.sh"], check=True, text=True,
                           capture_output=True).stdout.strip()
    folder, name = os.path.split(found)
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=name)
    model = AutoModelForCausalLM.from_pretrained(
        folder, gguf_file=name, dtype=torch.float32,
        attn_implementation="eager").eval()
    assert model.dtype == torch.float32
    cases = []
    for prompt in CHAT + PLAIN:
        is_chat = prompt in CHAT
        ids = (chat_ids(tokenizer, prompt) if is_chat else
               tokenizer.encode(prompt, add_special_tokens=False))
        out, margin = greedy(model, ids)
        text = tokenizer.decode(out, skip_special_tokens=True,
                                clean_up_tokenization_spaces=False)
        cases.append({"prompt": prompt, "chat": "smollm2" if is_chat else
                      "none", "prompt_ids": ids, "response_ids": out,
                      "text": text, "margin": float(f"{margin:.3g}")})
        print(f"{margin:8.4f} {len(out):3} {prompt[:30]!r}: {text[:40]!r}",
              file=sys.stderr)
    document = {"sha256": hashlib.sha256(open(found, "rb").read()).hexdigest(),
                "cases": cases}
    with open(sys.argv[1], "w", encoding="utf-8") as out:
        head = json.dumps(document["sha256"])
        rows = ",\n".join(json.dumps(c, ensure_ascii=False) for c in cases)
        out.write(f'{{"sha256": {head}, "cases": [\n{rows}\n]}}\n')


main()
