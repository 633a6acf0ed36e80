#!/usr/bin/env python3
"""How fast do we encode English beside the tokenizers package?

Both sides encode the same text with the same tokenizer.json on one thread, as
a whole and line by line, in turns and in the same go; the rates count the
time on a core.  Prints both and the ratio.

Use: python3 -m venv V && V/bin/pip install tokenizers
     V/bin/python bench/peers/bench_tokenizers.py BUILD/bench TEXT TOKENIZER ...

BUILD/bench holds bench_tokenizer and peer_tokenizer; TEXT and the tokenizers
(tokenizer.json or GGUF) are plain or packed with gzip.
"""
import gzip
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"

from tokenizers import Tokenizer  # noqa: E402

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from check_tokenizers import Ours  # noqa: E402

SECONDS = 2.0
LINE = re.compile(r"whole +([\d.]+) MB/s .*lines +([\d.]+) MB/s")


def unpacked(path):
    data = pathlib.Path(path).read_bytes()
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


def rate(encode, texts):
    done, begin = 0, time.process_time()
    while time.process_time() - begin < SECONDS:
        for text in texts:
            encode(text)
        done += sum(len(t.encode()) for t in texts)
    return done / 1e6 / (time.process_time() - begin)


def main():
    build, text_path, *names = sys.argv[1:]
    build = pathlib.Path(build)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        text_file = folder / "text"
        text_file.write_bytes(unpacked(text_path))
        text = text_file.read_text(encoding="utf-8")
        lines = text.splitlines(keepends=True)
        for name in names:
            source = folder / "source"
            source.write_bytes(unpacked(name))
            path = folder / "tokenizer.json"
            path.write_text(Ours(build / "peer_tokenizer", source).json(),
                            encoding="utf-8")
            ours = LINE.search(subprocess.run(
                [build / "bench_tokenizer", text_file, path], check=True,
                stdout=subprocess.PIPE, text=True).stdout)
            theirs = Tokenizer.from_file(str(path))
            for what, mine, texts in (("whole", ours[1], [text]),
                                      ("lines", ours[2], lines)):
                peer = rate(lambda t: theirs.encode(t), texts)
                print(f"{pathlib.Path(name).name} {what}: {float(mine):.1f} "
                      f"MB/s, tokenizers {peer:.1f} MB/s, ratio "
                      f"{float(mine) / peer:.1f}", flush=True)


if __name__ == "__main__":
    main()
