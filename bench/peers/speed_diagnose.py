#!/usr/bin/env python3
"""The statistics that `plumb diagnose` reduces rollouts to, in numpy with
orjson: of every response its sums, of every iteration its moments and the
ledgers of the penalty by class and by decile of tokens.  One process a core
over the files; results in the files' order.

It does less than Plumb: no check of the rows, and nothing of what is computed
from the reduced rows afterwards (bootstrap intervals, explanations, report).
--features adds the surface features of the texts (stat/features.h) with
regular expressions; without them they are left out.

Use: V/bin/python speed_diagnose.py RUN [PROCESSES] [--features]
RUN has ppo/rollouts/*.jsonl.zst.  The figure is the whole time from the first
file to the last number, without the interpreter's start.
"""

import argparse
import multiprocessing
import pathlib
import re
import time

import numpy as np
import orjson
import zstandard

import speed_clock as clock

ARRAYS = ("logp_sample", "logp", "logp_ref", "kl", "entropy", "p_eos",
          "p_eos_ref", "value", "reward", "reward_kl", "advantage_white")
BIN, DECILES, FIRST = 5, 10, 5
EOS, START, REPEATED, OTHER, CLASSES = range(5)

WORD = re.compile(r"[\w']+")
MARKED = re.compile(r"[.?!,]|[^\s.?!,]+")
SENTENCE = re.compile(r"[.?!\n]+")
HEDGE = re.compile(
    r"\b(?:may|might|maybe|perhaps|possibl\w*|probabl\w*|presumably|apparently"
    r"|generally|typically|usually|sometimes|somewhat|roughly|approximately"
    r"|unclear|uncertain|most likely|likely|unlikely|could be|should be fine"
    r"|tend\w* to|seem\w*|appear\w* to|(?:i|we) (?:think|believe)|i guess"
    r"|it depends|depend\w* on|in (?:general|(?:some|most|many) cases)"
    r"|more or less|not (?:sure|certain)|as far as (?:i|we) (?:can tell|know)"
    r"|to the best of (?:my|our) knowledge)\b")
APOLOGY = re.compile(r"\b(?:sorry|apolog\w*|regret\w*|forgive)\b")
THANKS = re.compile(
    r"\b(?:thank|thanks|thankful|grateful|appreciat\w*|valued"
    r"|(?:great|good|excellent|wonderful) question|glad you asked)\b")
LIST = re.compile(r"^[ \t]*(?:[-*+\u2022]|\d{1,3}[.)])[ \t]", re.M)
BOLD = re.compile(r"\*\*\S[^*\n]*\*\*")
HEADER = re.compile(r"^#{1,6}[ \t]", re.M)


def grams(words, n):
    """Runs of n words."""
    return list(zip(*(words[i:] for i in range(n))))


def repeated(runs):
    """The share of them that were there before."""
    return 1 - len(set(runs)) / len(runs) if runs else 0.0


def features(prompt, reply):
    """The thirteen surface features of a reply."""
    text = reply.lower()
    words = WORD.findall(text)
    sentences = [s for s in SENTENCE.split(text) if s.strip()]
    asked = set(grams(WORD.findall(prompt.lower()), 3))
    mine = grams(words, 3)
    return (len(reply), len(words), len(sentences), len(LIST.findall(reply)),
            len(BOLD.findall(reply)), len(HEADER.findall(reply)),
            len(HEDGE.findall(text)), len(APOLOGY.findall(text)),
            len(THANKS.findall(text)), repeated(sentences),
            repeated(grams(MARKED.findall(text), 4)),
            sum(g in asked for g in mine) / len(mine) if mine else 0.0,
            float(reply.rstrip().endswith((".", "?", "!"))))


def classes(token, place, length, is_eos):
    """The class of each token; runs of four are told by their hash."""
    kind = np.full(len(token), OTHER)
    hashed = np.zeros(len(token), np.uint64)
    row = np.repeat(np.arange(len(length)), length)
    for k in range(3, -1, -1):
        shifted = np.roll(token, k).astype(np.uint64)
        hashed = (hashed ^ shifted) * np.uint64(0x9e3779b97f4a7c15)
    hashed ^= row.astype(np.uint64) << np.uint64(44)
    hashed[place < 3] = 0
    order = np.argsort(hashed, kind="stable")
    again = np.zeros(len(token), bool)
    again[order[1:]] = hashed[order[1:]] == hashed[order[:-1]]
    kind[again & (place >= 3)] = REPEATED
    kind[place < FIRST] = START
    kind[is_eos] = EOS
    return kind


def ledger(group, groups, x):
    """Tokens and sums of a group of tokens."""
    paid = x["reward_kl"]
    sums = (np.ones(len(group)), x["logp"] - x["logp_ref"], x["kl"],
            np.maximum(paid, 0), np.maximum(-paid, 0), x["advantage_white"])
    return [np.bincount(group, s, groups).tolist() for s in sums]


def returns(reward, first, last):
    """What is paid from each token of its response on."""
    total = np.cumsum(reward)
    end = total[last - 1]
    return np.repeat(end, last - first) - total + reward


def reduce_file(job):
    """The statistics of one file, which is one iteration."""
    path, wants_features = job
    data = zstandard.ZstdDecompressor().stream_reader(
        pathlib.Path(path).open("rb")).read()
    rows = [orjson.loads(line) for line in data.splitlines()]
    length = np.array([len(r["tokens"]) for r in rows])
    last = np.cumsum(length)
    first = last - length
    x = {name: np.concatenate([np.array(r[name], np.float32) for r in rows])
         .astype(np.float64) for name in ARRAYS}
    token = np.concatenate([np.array(r["tokens"]) for r in rows])
    place = np.arange(len(token)) - np.repeat(first, length)
    stops = np.array([r["finish"] == "eos" for r in rows])
    is_eos = np.zeros(len(token), bool)
    is_eos[last[stops] - 1] = True
    gap = x["logp"] - x["logp_ref"]
    ret = returns(x["reward"], first, last)
    error = ret - x["value"]
    surprise = -x["logp"] - x["entropy"]

    def total(of):
        return np.add.reduceat(of, first)

    # The mean of the tokens at a place that are not the end.
    plain = ~is_eos
    bins = place // BIN
    mean = (np.bincount(bins[plain], x["advantage_white"][plain],
                        bins.max() + 1) /
            np.maximum(1, np.bincount(bins[plain], minlength=bins.max() + 1)))
    response = {
        "tokens": length, "k1": total(gap), "measure": total(np.exp(-gap)),
        "kl": total(x["kl"]), "reward_kl": total(x["reward_kl"]),
        "entropy": total(x["entropy"]), "value_error": total(error) / length,
        "advantage_white": total(x["advantage_white"]) / length,
        "p_eos": total(x["p_eos"]), "p_eos_ref": total(x["p_eos_ref"]),
        "eos_gap": np.where(stops, x["advantage_white"][last - 1] -
                            mean[bins[last - 1]], np.nan),
        "score": np.array([r["score"] for r in rows]),
        "score_raw": np.array([r["score_raw"] for r in rows]),
        "prompt": [r["prompt_id"] for r in rows],
        "tag": [r["tags"]["intent"] for r in rows]}
    if wants_features:
        response["features"] = np.array(
            [features(r["prompt"], r["response"]) for r in rows])
    step = {
        "step": rows[0]["step"], "responses": len(rows), "tokens": len(token),
        "sampler_error": np.abs(np.expm1(x["logp"] - x["logp_sample"])).max(),
        "reference_error": np.abs(gap).max(),
        "surprise": surprise.sum(), "surprise_square": (surprise ** 2).sum(),
        "returns": ret.sum(), "returns_square": (ret ** 2).sum(),
        "errors": error.sum(), "errors_square": (error ** 2).sum(),
        "eos_zero": int((x["advantage_white"][is_eos] == 0).sum()),
        "beta": (min(r["beta"] for r in rows), max(r["beta"] for r in rows)),
        "by_class": ledger(classes(token, place, length, is_eos), CLASSES, x),
        "by_decile": ledger(place * DECILES // np.repeat(length, length),
                            DECILES, x)}
    return step, response


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("run")
    parser.add_argument("processes", type=int, nargs="?", default=2)
    parser.add_argument("--features", action="store_true")
    a = parser.parse_args()
    begin = time.perf_counter()
    files = sorted(pathlib.Path(a.run, "ppo", "rollouts").glob("*.jsonl.zst"))
    with multiprocessing.Pool(a.processes) as pool:
        reduced = pool.map(reduce_file,
                           [(str(f), a.features) for f in files], chunksize=4)
    rows = sum(step["responses"] for step, _ in reduced)
    kl = np.concatenate([response["kl"] for _, response in reduced])
    seconds = time.perf_counter() - begin
    print(f"responses {rows}")
    print(f"kl {kl.mean():.9g}")
    clock.told([seconds], "JSON text, float64")


if __name__ == "__main__":
    main()
