#!/usr/bin/env python3
"""Golden vectors for tests/io/test_tokenizer.c, from the tokenizers package.

    python3 tools/make_tokenizer_golden.py tests/data/tokenizer

Each file holds a tokenizer.json and what the package makes of texts and ids:
    {"tokenizers": version, "tokenizer": {...},
     "encode": [{"text", "special", "ids"}],
     "decode": [{"ids", "skip_special", "text"}]}
"special" false is the package's encode_special_tokens = True.
Made with tokenizers 0.23.3; same package, same bytes.
"""
import json
import random
import string
import sys

import tokenizers
from tokenizers import Tokenizer


def added(token, number, special=True, normalized=False):
    return {"id": number, "content": token, "single_word": False,
            "lstrip": False, "rstrip": False, "normalized": normalized,
            "special": special}


def document(vocab, pre_tokenizer, decoder, added_tokens=(), unknown="<unk>"):
    return {"version": "1.0", "truncation": None, "padding": None,
            "added_tokens": list(added_tokens), "normalizer": None,
            "pre_tokenizer": pre_tokenizer, "post_processor": None,
            "decoder": decoder,
            "model": {"type": "WordLevel", "vocab": vocab,
                      "unk_token": unknown}}


def number(tokens):
    vocab = {}
    for token in tokens:
        vocab.setdefault(token, len(vocab))
    return vocab


def split(regex, behavior, invert=False, kind="Regex"):
    return {"type": "Split", "pattern": {kind: regex}, "behavior": behavior,
            "invert": invert}


def write(folder, name, doc, texts=(), lists=()):
    tok = Tokenizer.from_str(json.dumps(doc))
    encode, decode = [], []
    for text, special in texts:
        tok.encode_special_tokens = not special
        ids = tok.encode(text, add_special_tokens=False).ids
        encode.append({"text": text, "special": special, "ids": ids})
    for ids, skip in lists:
        text = tok.decode(ids, skip_special_tokens=skip)
        decode.append({"ids": ids, "skip_special": skip, "text": text})
    with open(f"{folder}/{name}.json", "w", encoding="utf-8") as out:
        json.dump({"tokenizers": tokenizers.__version__, "tokenizer": doc,
                   "encode": encode, "decode": decode}, out,
                  ensure_ascii=False, separators=(",", ":"))
        out.write("\n")


def support(folder, rng):
    """The support desk's: text and ids are each other's inverse."""
    specials = ["<pad>", "<eos>", "<cust>", "<agent>"]
    letters = [c for c in string.ascii_uppercase if c not in "IO"]
    words = ("hi i want my money back for the lamp in order bought it days "
             "ago cost do not can help refund").split()
    vocab = number(specials + letters + list(string.digits) +
                   ["05", "12", "35"] + words + list(".,?!#$"))
    decoder = {"type": "Sequence", "decoders": [
        {"type": "WordPiece", "prefix": "##", "cleanup": True},
        {"type": "Fuse"},
        {"type": "Replace", "pattern": {"Regex": "(?<=[#$]) "},
         "content": ""},
        {"type": "Replace",
         "pattern": {"Regex": "(?<=#[A-Z]) (?=[0-9])"}, "content": ""}]}
    doc = document(vocab,
                   split("[a-z]+|[A-Z]|[0-9]+|[^\\sa-zA-Z0-9]", "Removed",
                         True),
                   decoder,
                   [added(t, i) for i, t in enumerate(specials)])
    texts = [(t, True) for t in [
        "hi, i want my money back for the lamp in order #Q4. "
        "i bought it 05 days ago. it cost $35.",
        "<cust>hi, can i want order #A7?<agent>do not! refund $12.<eos>",
        "<cust> hi <agent> lamp <eos><pad><pad>", "", "  \n hi \t"]]
    lists = [[rng.randrange(len(specials), len(vocab))
              for _ in range(rng.randrange(1, 14))] for _ in range(60)]
    lists = [(ids, True) for ids in lists]
    lists += [([2, 50, 3, 51, 1], True), ([2, 50, 3, 51, 1], False),
              ([], True), ([1, 0], True)]
    write(folder, "support", doc, texts, lists)


def pieces(folder, name, pre_tokenizer, texts):
    """A vocabulary of all the pieces there are, so that ids show them."""
    probe = Tokenizer.from_str(json.dumps(
        document({"<unk>": 0}, pre_tokenizer, None)))
    tokens = ["<unk>"]
    for text in texts:
        if probe.pre_tokenizer is None:
            tokens.append(text)
        else:
            tokens += [p for p, _ in
                       probe.pre_tokenizer.pre_tokenize_str(text)]
    doc = document(number(tokens), pre_tokenizer, None)
    write(folder, name, doc, [(t, True) for t in texts],
          [(list(range(len(number(tokens)))), True)])


def pre_tokenizers(folder):
    texts = ["one two  three", " don't stop, it's 3.5!\n", "naïve café über",
             "cafe\u0301 a\u200db\u200cc x\u00b2 \u00bd", "中文 text、混合",
             "a\u00a0b\u1680c\u2003d\u2028e\u3000f\u180eg\u0085h\u200bi",
             "under_score a\u203fb", "🙂🙂 ok", "\u0968\u0969 \u216b \u24d0"]
    pieces(folder, "whitespace", {"type": "Whitespace"}, texts)
    pieces(folder, "whitespace_split", {"type": "WhitespaceSplit"}, texts)
    pieces(folder, "one_piece", None, ["a b", "c", " é "])
    for i, (regex, behavior, invert, kind) in enumerate([
            ("\\w+", "Isolated", False, "Regex"),
            ("\\w+", "Removed", True, "Regex"),
            ("\\s+", "Removed", False, "Regex"),
            ("[^\\s\\-]+", "Isolated", True, "Regex"),
            ("[\\w-]+|\\S", "Removed", True, "Regex"),
            ("\\d|\\W", "Isolated", False, "Regex"),
            ("x*", "Isolated", False, "Regex"),
            ("(?=[bt])", "Isolated", False, "Regex"),
            ("^|$", "Isolated", False, "Regex"),
            (" ", "Removed", False, "String"),
            ("t.", "Isolated", False, "String"),
            ("", "Removed", False, "String"),
            ("(?:a|b)++(?!t)|(?<!o)n{1,2}|\\p{Lu}|\\x{e9}", "Isolated", False,
             "Regex")]):
        pieces(folder, f"split_{i:02}", split(regex, behavior, invert, kind),
               texts + ["abxxb t.t", "é\nq\n", "Ünn onn banana"])


def decoders(folder, rng):
    tokens = ["a", "##b", "##", "####c", "x .y", ".", ",", "?", "!", "n't",
              "'m", "'s", "'ve", "'re", "do not", "'", "x ' y", " do not",
              "é", "aXbX", "X", "", "\n", "中X", ":", "p 's q", "[SEP]"]
    vocab = number(tokens + ["<unk>"])
    word_piece = {"type": "WordPiece", "prefix": "##", "cleanup": True}
    steps = {
        "null": None,
        "wordpiece": word_piece,
        "wordpiece_plain": {"type": "WordPiece", "prefix": "##",
                            "cleanup": False},
        "wordpiece_bare": {"type": "WordPiece", "prefix": "",
                           "cleanup": True},
        "fuse": {"type": "Fuse"},
        "replace": {"type": "Replace", "pattern": {"String": "X"},
                    "content": " <>"},
        "replace_empty": {"type": "Replace", "pattern": {"Regex": "X*"},
                          "content": "-"},
        "sequence": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"Regex": "[X.]"},
             "content": " n't"},
            word_piece, {"type": "Fuse"},
            {"type": "Replace", "pattern": {"Regex": "^|(?<=a) "},
             "content": "|"}]},
        "sequence_empty": {"type": "Sequence", "decoders": []},
    }
    for name, decoder in steps.items():
        lists = [[rng.randrange(len(vocab))
                  for _ in range(rng.randrange(0, 10))] for _ in range(12)]
        lists.append(list(range(len(vocab))))
        doc = document(vocab, {"type": "Whitespace"}, decoder,
                       [added("[SEP]", vocab["[SEP]"])])
        write(folder, f"decoder_{name}", doc, [],
              [(ids, skip) for ids in lists for skip in (True, False)])


def added_tokens(folder):
    """Overlaps, tokens outside the model's vocabulary, both rounds."""
    vocab = number(["<unk>", "a", "b", "<", ">", "s", "new", "york", "ew",
                    "<s>", "york new"])
    n = len(vocab)
    tokens = [added("<unk>", 0), added("<s>", vocab["<s>"]),
              added("<s>s", n), added("new york", n + 1, False, True),
              added("york new", vocab["york new"], False, False),
              added("é", n + 2, False, True)]
    doc = document(vocab, {"type": "Whitespace"}, None, tokens)
    texts = [(t, special) for special in (True, False) for t in [
        "a<s>b", "a<s>sb", "<s><s>s<s>", "new york", "new york new york",
        "anew yorkb", "a é é", "<unk>", "zzz", "< s >", "york newé<s"]]
    write(folder, "added", doc, texts,
          [([1, vocab["<s>"], n, n + 1, n + 2, 0], s) for s in (True, False)])


def main():
    folder = sys.argv[1]
    rng = random.Random(7)
    support(folder, rng)
    pre_tokenizers(folder)
    decoders(folder, rng)
    added_tokens(folder)


if __name__ == "__main__":
    main()
