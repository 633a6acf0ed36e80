#!/usr/bin/env python3
"""Golden vectors for tests/io/test_bpe.c, from the tokenizers package.

    python3 tools/make_bpe_golden.py CORPUS tests/data/bpe

Two small vocabularies are trained on CORPUS (tinyshakespeare.txt, public
domain) and the phrases of bpe_families.py; every family of documents is made
around them, and the package encodes and decodes the same hostile texts with
each.  The files hold hashes of what it made:

    texts.zst      u32 n, n x (u32 length, text)
    FAMILY.zst     u32 length, tokenizer.json
                   n x u32: hash of the ids with, then without special tokens
                   n x u32: hash of the text of the former ids, with special
                       tokens, then without them
                   u32 m, m x u32: hash of the text of random ids

A hash is FNV-1a of the bytes (ids: little-endian u32, the count after them).
Random ids come from x = x * 1664525 + 1013904223 (mod 2^32), x = 1 at first:
x >> 8 modulo 24 is how many ids there are, then x >> 8 modulo the size each.
Made with tokenizers 0.23.3 and the zstd program.
"""
import json
import pathlib
import struct
import subprocess
import sys

from tokenizers import Tokenizer, models, pre_tokenizers, trainers

import bpe_families

N_TEXTS = 5000
N_RANDOM = 1000
MERGES = 1000


def train(lines, pre_tokenizer, alphabet, specials):
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizer
    tok.train_from_iterator(lines, trainers.BpeTrainer(
        vocab_size=MERGES + len(alphabet) + len(specials), show_progress=False,
        initial_alphabet=alphabet, special_tokens=specials,
        limit_alphabet=len(alphabet)))
    model = json.loads(tok.to_str())["model"]
    return model["vocab"], [tuple(m) for m in model["merges"]]


def fnv(data, seed=2166136261):
    for byte in data:
        seed = (seed ^ byte) * 16777619 & 0xffffffff
    return seed


def hash_ids(ids, seed):
    return fnv(struct.pack(f"<{len(ids) + 1}I", *ids, len(ids)), seed)


def vectors(tok, texts, size):
    ids_hashes, text_hashes = [], []
    for text in texts:
        tok.encode_special_tokens = True
        plain = tok.encode(text, add_special_tokens=False).ids
        tok.encode_special_tokens = False
        ids = tok.encode(text, add_special_tokens=False).ids
        ids_hashes.append(hash_ids(plain, hash_ids(ids, 2166136261)))
        kept = tok.decode(ids, skip_special_tokens=False).encode()
        text_hashes.append(fnv(tok.decode(ids).encode(), fnv(kept)))
    x, random_hashes = 1, []
    for _ in range(N_RANDOM):
        x = (x * 1664525 + 1013904223) & 0xffffffff
        ids = []
        for _ in range((x >> 8) % 24):
            x = (x * 1664525 + 1013904223) & 0xffffffff
            ids.append((x >> 8) % size)
        random_hashes.append(
            fnv(tok.decode(ids, skip_special_tokens=False).encode()))
    return (ids_hashes + text_hashes + [len(random_hashes)] + random_hashes)


def write(path, data):
    with open(path, "wb") as out:
        subprocess.run(["zstd", "-19", "-q", "--no-check", "-c",
                        f"--stream-size={len(data)}"], input=data,
                       stdout=out, check=True)


def main():
    corpus, folder = map(pathlib.Path, sys.argv[1:])
    lines = corpus.read_text(encoding="utf-8")[:200000].splitlines()
    lines += bpe_families.PHRASES * 10
    byte_level = train(
        lines, pre_tokenizers.ByteLevel(add_prefix_space=False),
        sorted(pre_tokenizers.ByteLevel.alphabet()), [])
    common = sorted({c for c in "".join(lines) if ord(c) < 0x3000})
    pieces = train(
        lines, pre_tokenizers.Metaspace(prepend_scheme="always"),
        ["▁"] + [c for c in common if c not in " ▁ÀÉ"],
        ["<unk>", "<s>", "</s>"] + [f"<0x{i:02X}>" for i in range(256)])
    families = {**bpe_families.byte_level_families(*byte_level),
                **bpe_families.sentencepiece_families(*pieces)}
    tokens = sorted({t["content"] for d in families.values()
                     for t in d["added_tokens"]})
    texts = bpe_families.texts(3, N_TEXTS, tokens)
    data = b"".join(struct.pack("<I", len(t.encode())) + t.encode()
                    for t in texts)
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "texts.zst", struct.pack("<I", len(texts)) + data)
    for name, doc in families.items():
        text = json.dumps(doc, ensure_ascii=False,
                          separators=(",", ":")).encode()
        size = 1 + max([*doc["model"]["vocab"].values()] +
                       [t["id"] for t in doc["added_tokens"]])
        numbers = vectors(Tokenizer.from_str(text.decode()), texts, size)
        write(folder / f"{name}.zst", struct.pack("<I", len(text)) + text +
              struct.pack(f"<{len(numbers)}I", *numbers))
        print(name, (folder / f"{name}.zst").stat().st_size)


if __name__ == "__main__":
    main()
