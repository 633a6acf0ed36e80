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
command line are compared as they are, besides.  A GGUF file there is compared
thrice: the tokenizer.json we make of it with the tokenizers package; the files
we make as transformers loads them, if installed; and, when llama-cpp-python
is, our ids with llama.cpp's.  Those of llama.cpp may differ where it knows
other Unicode tables or does not normalise; they are counted but do not decide.
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

    def json(self):
        return self.p.stdout.read(self.ask(b"J", 0, b"")).decode()

    def encode(self, text, special):
        data = text.encode()
        n = self.ask(b"E" if special else b"e", len(data), data)
        return list(struct.unpack(f"<{n}i", self.p.stdout.read(4 * n)))

    def decode(self, ids, skip):
        n = self.ask(b"d" if skip else b"D", len(ids),
                     struct.pack(f"<{len(ids)}i", *ids))
        return self.p.stdout.read(n).decode()


def compare(program, name, path, n_texts):
    ours = Ours(program, str(path))
    text = ours.json()
    theirs = Tokenizer.from_str(text)
    doc = json.loads(text)
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


def compare_transformers(program, path, n_texts):
    try:
        import transformers
    except ImportError:
        print(f"{path}: no transformers, its reading is not compared")
        return 0
    ours = Ours(program, str(path))
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        for name, kind in (("tokenizer.json", b"J"),
                           ("tokenizer_config.json", b"C")):
            data = ours.p.stdout.read(ours.ask(kind, 0, b""))
            (pathlib.Path(folder) / name).write_bytes(data)
        theirs = transformers.AutoTokenizer.from_pretrained(folder)
        config = json.loads(data)
        for key in ("bos_token", "eos_token", "unk_token", "pad_token",
                    "chat_template"):
            if getattr(theirs, key) != config.get(key):
                print(f"{path}: {key} is {getattr(theirs, key)!r}")
                wrong += 1
        texts = bpe_families.texts(7, n_texts, ["<s>", "<|im_start|>"])
        for text in texts:
            ids = theirs(text, add_special_tokens=False)["input_ids"]
            wrong += ids != ours.encode(text, True)
    print(f"{path}: as transformers loads it, {len(texts)} texts, "
          f"{wrong} differ")
    return wrong


def compare_llama_cpp(program, path, n_texts):
    try:
        import llama_cpp
    except ImportError:
        print(f"{path}: no llama-cpp-python, not compared with llama.cpp")
        return
    model = llama_cpp.Llama(str(path), vocab_only=True, verbose=False)
    ours = Ours(program, str(path))
    tokens = [t["content"] for t in json.loads(ours.json())["added_tokens"]]
    wrong, n = [], 0
    for text in bpe_families.texts(5, n_texts, tokens[:40] or ["<x>"]):
        for special in (True, False):
            want = model.tokenize(text.encode(), add_bos=False,
                                  special=special)
            got = ours.encode(text, special)
            n += 1
            if got != want:
                wrong.append((special, text, got, want))
    print(f"{path}: {n} compared with llama.cpp, {len(wrong)} differ",
          flush=True)
    for row in wrong[:5]:
        print("   ", *[repr(x)[:300] for x in row], sep="\n    ")


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
            if path.suffix == ".gguf":
                wrong += compare_transformers(a.program, path, a.texts)
                compare_llama_cpp(a.program, path, a.texts)
    return wrong != 0


if __name__ == "__main__":
    sys.exit(main())
