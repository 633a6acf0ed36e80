#!/usr/bin/env python3
"""Do we make the ids and the text that the tokenizers package makes?

For every family (tools/bpe_families.py) and every vocabulary that is at hand,
thousands of hostile and multilingual texts go through both sides: encoded with
and without special tokens, decoded with and without them, and random ids
decoded.  Prints how many were compared and the first differences; the exit
status is the verdict.

Use: python3 -m venv V && V/bin/pip install tokenizers
     V/bin/python bench/peers/check_tokenizers.py BUILD/bench/peer_tokenizer \\
         [--texts 5000] [tokenizer.json ...]

The families are those of tests/data/bpe and, when it is there, those around
GPT-2's vocabulary from ../shared/data; tokenizer.json files named on the
command line are compared as they are, besides.
"""
import argparse
import gzip
import json
import pathlib
import random
import struct
import subprocess
import sys
import tempfile

from tokenizers import Tokenizer

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import bpe_families  # noqa: E402

SHARED = ROOT.parent / "shared" / "data" / "tokenizers"


class Ours:
    def __init__(self, program, path):
        self.p = subprocess.Popen([program, path], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE)

    def ask(self, kind, n, data):
        self.p.stdin.write(kind + struct.pack("<I", n) + data)
        self.p.stdin.flush()
        head = self.p.stdout.read(4)
        if len(head) < 4:
            raise RuntimeError("peer_tokenizer stopped")
        return struct.unpack("<I", head)[0]

    def encode(self, text, special):
        data = text.encode()
        n = self.ask(b"E" if special else b"e", len(data), data)
        return list(struct.unpack(f"<{n}i", self.p.stdout.read(4 * n)))

    def decode(self, ids, skip):
        n = self.ask(b"d" if skip else b"D", len(ids),
                     struct.pack(f"<{len(ids)}i", *ids))
        return self.p.stdout.read(n).decode()


def compare(program, name, path, n_texts):
    theirs = Tokenizer.from_file(str(path))
    ours = Ours(program, str(path))
    doc = json.loads(path.read_text(encoding="utf-8"))
    tokens = [t["content"] for t in doc["added_tokens"]] or ["<x>"]
    size = 1 + max([*theirs.get_vocab().values()])
    rng = random.Random(11)
    wrong, n = [], 0
    for text in bpe_families.texts(5, n_texts, tokens[:40]):
        for special in (True, False):
            theirs.encode_special_tokens = not special
            want = theirs.encode(text, add_special_tokens=False).ids
            got = ours.encode(text, special)
            n += 1
            if got != want:
                wrong.append(("encode", special, text, got, want))
            if not special:
                continue
            for skip in (True, False):
                a, b = theirs.decode(want, skip_special_tokens=skip), \
                    ours.decode(want, skip)
                n += 1
                if a != b:
                    wrong.append(("decode", skip, want, b, a))
    for _ in range(n_texts // 5):
        ids = [rng.randrange(size + 3) for _ in range(rng.randint(0, 20))]
        a, b = theirs.decode(ids, skip_special_tokens=False), \
            ours.decode(ids, False)
        n += 1
        if a != b:
            wrong.append(("decode", False, ids, b, a))
    ours.p.stdin.close()
    ours.p.wait()
    print(f"{name}: {n} compared, {len(wrong)} differ", flush=True)
    for row in wrong[:5]:
        print("   ", *[repr(x)[:300] for x in row], sep="\n    ")
    return len(wrong)


def gpt2():
    with gzip.open(SHARED / "gpt2" / "encoder.json.gz") as f:
        vocab = json.load(f)
    with gzip.open(SHARED / "gpt2" / "vocab.bpe.gz", "rt",
                   encoding="utf-8") as f:
        merges = [tuple(line.split()) for line in f if
                  not line.startswith("#version")]
    del vocab["<|endoftext|>"]
    return vocab, merges


def main():
    p = argparse.ArgumentParser()
    p.add_argument("program")
    p.add_argument("--texts", type=int, default=5000)
    p.add_argument("files", nargs="*", type=pathlib.Path)
    a = p.parse_args()
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        families = {}
        if (SHARED / "gpt2" / "encoder.json.gz").exists():
            families = bpe_families.byte_level_families(*gpt2())
        else:
            print(f"no GPT-2 vocabulary in {SHARED}: families left out")
        for packed in sorted((ROOT / "tests/data/bpe").glob("*.zst")):
            if packed.stem == "texts":
                continue
            data = subprocess.run(["zstd", "-dqc", packed], check=True,
                                  stdout=subprocess.PIPE).stdout
            path = folder / f"{packed.stem}.small.json"
            path.write_bytes(data[4:4 + struct.unpack("<I", data[:4])[0]])
            wrong += compare(a.program, f"small {packed.stem}", path, a.texts)
        for name, doc in families.items():
            path = folder / f"{name}.json"
            path.write_text(json.dumps(doc), encoding="utf-8")
            wrong += compare(a.program, f"GPT-2's as {name}", path, a.texts)
        for path in a.files:
            wrong += compare(a.program, str(path), path, a.texts)
    return wrong != 0


if __name__ == "__main__":
    sys.exit(main())
