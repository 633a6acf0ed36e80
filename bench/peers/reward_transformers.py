#!/usr/bin/env python3
"""A reward model of transformers as Plumb's --reward-command.

    plumb score --data rankings.jsonl --reward-command \
        "V/bin/python bench/peers/reward_transformers.py ORG/NAME"

(V: a venv with torch and transformers.)  The model is any that
AutoModelForSequenceClassification opens: its one logit is the score; of
several, --label says which.  Prompt and response are laid out by the
tokenizer's chat template, whose end mark a response that was cut has not;
without one, or with --plain, they stand one behind the other, and an end token
behind them.
"""

import argparse
import os
import pathlib
import sys

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import command  # noqa: E402
import torch  # noqa: E402
from transformers import (AutoModelForSequenceClassification,  # noqa: E402
                          AutoTokenizer)


def arguments():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("model", help="folder, or a name in the Hugging Face cache")
    p.add_argument("--plain", action="store_true",
                   help="no chat template: the response behind the prompt")
    p.add_argument("--label", type=int, default=None,
                   help="which logit, of a model that has several")
    p.add_argument("--device", default="cpu")
    p.add_argument("--dtype", default="float32")
    p.add_argument("--batch", type=int, default=8,
                   help="texts that the model is given at a time")
    p.add_argument("--max-tokens", type=int, default=None,
                   help="a longer text is an error; default: the model's own")
    return p.parse_args()


class Scorer:
    def __init__(self, a):
        self.a = a
        self.tokenizer = AutoTokenizer.from_pretrained(a.model)
        self.model = AutoModelForSequenceClassification.from_pretrained(
            a.model, dtype=getattr(torch, a.dtype)).to(a.device).eval()
        labels = self.model.config.num_labels
        if labels > 1 and a.label is None:
            sys.exit(f"{a.model} has {labels} labels: --label says which")
        self.label = a.label or 0
        self.max_tokens = a.max_tokens or getattr(
            self.model.config, "max_position_embeddings", None)

    def tokens(self, request):
        prompt, response = request["prompt"], request["response"]
        is_cut = request.get("finish") == "length"
        if self.a.plain or self.tokenizer.chat_template is None:
            ids = self.tokenizer(prompt + response)["input_ids"]
            end = self.tokenizer.eos_token_id
            if end is not None and not is_cut and ids[-1:] != [end]:
                ids = ids + [end]
            return ids
        messages = request.get("messages") or [
            {"role": "user", "content": prompt}]
        messages = [*messages, {"role": "assistant", "content": response}]
        text = self.tokenizer.apply_chat_template(
            messages, tokenize=False, continue_final_message=is_cut)
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    @torch.no_grad()
    def scores(self, requests):
        """One text at a time where there is no padding token, or the model
        finds the last token by it: then a batch could not be told apart."""
        ids = [self.tokens(r) for r in requests]
        for r, i in zip(requests, ids):
            if self.max_tokens and len(i) > self.max_tokens:
                raise ValueError(f"{len(i)} tokens are more than the model's "
                                 f"{self.max_tokens}")
        pad = self.model.config.pad_token_id
        has_pad = pad is not None and not any(pad in i for i in ids)
        step = self.a.batch if has_pad else 1
        out = []
        for at in range(0, len(ids), step):
            some = ids[at:at + step]
            most = max(map(len, some))
            rows = [i + [pad] * (most - len(i)) for i in some]
            mask = [[1] * len(i) + [0] * (most - len(i)) for i in some]
            logits = self.model(
                input_ids=torch.tensor(rows, device=self.a.device),
                attention_mask=torch.tensor(mask, device=self.a.device)).logits
            out += logits[:, self.label].double().tolist()
        return out


def main():
    scorer = Scorer(arguments())
    for batch in command.batches():
        try:
            scores = scorer.scores(batch)
        except ValueError as error:
            command.answer(batch[0]["id"], error=str(error))
            continue
        for request, score in zip(batch, scores):
            command.answer(request["id"], score=score)


if __name__ == "__main__":
    main()
