#!/usr/bin/env python3
"""The texts that `make bench` trains on, the same for both sides: 192 prompts
and 64 preference pairs of at most 500 tokens.

Use: V/bin/python speed_inputs.py FOLDER MODEL_FOLDER [HH.jsonl.gz]
Writes FOLDER/prompts.jsonl, one {"prompt"} a line, and FOLDER/pairs.jsonl, one
{"prompt", "chosen", "rejected"} a line, all plain text; FOLDER/pairs.from tells
where the pairs come from, FOLDER/seed_pairs.jsonl has eight more, to make a
reward model of for PPO.  HH is a file of Anthropic's helpful-base; without
it, the pairs are invented sentences whose lengths follow that file's.
"""

import gzip
import json
import pathlib
import random
import sys

from transformers import AutoTokenizer

PROMPTS, PAIRS, TOKENS_MAX = 192, 64, 500
THINGS = ["blender", "kettle", "parcel", "invoice", "lamp", "desk", "phone",
          "jacket", "router", "printer", "bicycle", "watch"]
TROUBLES = ["came damaged five days ago and the box was open",
            "has not arrived although it was promised for Monday",
            "was charged twice on the card that I use for work",
            "stopped working after the last update of its firmware",
            "is the wrong colour, and the label names somebody else"]
WISHES = ["What can I do now, and how long does it take?",
          "Please tell me how to send it back and who pays for that.",
          "I should like my money back, or another one soon.",
          "Could you explain the next steps to me in plain words?"]
WORDS = ("the a of and to in is it you that he was for on are with as his they "
         "be at one have this from or had by not but what some we can out "
         "other were all there when up use your how said an each she which do "
         "their time if will way about many then them write would like so "
         "these her long make thing see him two has look more day could go "
         "come did number sound no most people my over know water than call "
         "first who may down side been now find").split()
MARK = "\n\nAssistant:"
# Of 2,341 pairs: log-normal tokens of dialogue, chosen and rejected reply.
LENGTHS = {"prompt": (4.46, 1.04), "chosen": (3.66, 0.95),
           "rejected": (3.39, 0.93)}


def prompt(i):
    """A customer's question of 30 to 40 tokens."""
    trouble = TROUBLES[i // len(THINGS) % len(TROUBLES)]
    return (f"Customer: Hello, my {THINGS[i % len(THINGS)]} from order "
            f"{4711 + 37 * i} {trouble}. {WISHES[i % len(WISHES)]}\nAgent:")


def invented(rng):
    """Pairs without end."""
    while True:
        row = {key: " " + " ".join(rng.choice(WORDS) for _ in range(
            max(2, int(rng.lognormvariate(*LENGTHS[key])))))
               for key in LENGTHS}
        row["prompt"] = "\n\nHuman:" + row["prompt"] + MARK
        yield row


def real(path):
    """The pairs of the file that share all but their last turn."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            a, b = (row[key].rpartition(MARK) for key in ("chosen",
                                                          "rejected"))
            if a[0] == b[0] and a[2].strip() and b[2].strip():
                yield {"prompt": a[0] + MARK, "chosen": a[2],
                       "rejected": b[2]}


def main():
    folder = pathlib.Path(sys.argv[1])
    tokenizer = AutoTokenizer.from_pretrained(sys.argv[2])
    hh = sys.argv[3] if len(sys.argv) > 3 else ""
    pairs = []
    for row in real(hh) if hh else invented(random.Random(1)):
        n = {key: len(tokenizer(text)["input_ids"])
             for key, text in row.items()}
        if n["prompt"] + max(n["chosen"], n["rejected"]) <= TOKENS_MAX:
            pairs.append(row)
        if len(pairs) == PAIRS:
            break
    prompts = [{"prompt": prompt(i)} for i in range(PROMPTS)]
    seed = [{**row, "chosen": " We are sorry. Please send it back to us.",
             "rejected": " That is not our fault."} for row in prompts[:8]]
    for name, rows in (("pairs", pairs), ("prompts", prompts),
                       ("seed_pairs", seed)):
        with open(folder / f"{name}.jsonl", "w", encoding="utf-8") as file:
            for row in rows:
                file.write(json.dumps(row) + "\n")
    (folder / "pairs.from").write_text(
        "HH helpful-base\n" if hh else "synthetic pairs of HH's lengths\n",
        encoding="utf-8")


if __name__ == "__main__":
    main()
