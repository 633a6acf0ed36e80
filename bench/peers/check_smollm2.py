#!/usr/bin/env python3
"""Does SmolLM2 answer as it does under transformers?

Both read the same GGUF file and dequantise it to float; we go on greedily from
20 prompts for 64 tokens.  transformers then reads prompt and answer in one
pass: if the best token after each prefix is ours, its greedy answer is ours
(--generate lets it answer by itself, which takes ten times as long).  The
least gap between its two best logits and the largest difference of the first
logits are printed; the exit status is the verdict.

Use: python3 -m venv V && V/bin/pip install torch transformers gguf safetensors
     tools/get-smollm2.sh                      # prints the path of the model
     V/bin/python bench/peers/check_smollm2.py BUILD/bench/peer_greedy \\
         MODEL.gguf [--generate]
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import torch
import transformers
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

NEW = 64
# Logits of order 20, each from some thirty layers of sums of 576 floats on both
# sides: a few hundred roundings of 2^-24 of their size.
TOLERANCE = 1e-3
ASKED = [
    "Where is my order? It should have arrived on Monday.",
    "I was charged twice for the same subscription.",
    "How do I reset my password?",
    "Can I return shoes that I have worn once?",
    "Please cancel my account and delete my data.",
    "The app crashes when I open the camera.",
    "What is the capital of France?",
    "Write a haiku about rain.",
    "Explain photosynthesis to a child.",
    "Translate 'good morning' into Spanish.",
]
TOLD = [
    "Once upon a time, in a small village by the sea,",
    "The three laws of motion are",
    "def fibonacci(n):\n    ",
    "Dear customer,\n\nThank you for",
    "In 1969, the first people",
    "Ingredients:\n- 2 eggs\n- 100 g sugar\n",
    "The quick brown fox",
    "Q: What is 7 times 8?\nA:",
    "Paris, Berlin, Rome,",
    "To be, or not to be,",
]


def main():
    program, path = sys.argv[1], pathlib.Path(sys.argv[2])
    generate = sys.argv[3:] == ["--generate"]
    torch.set_num_threads(2)
    print(f"transformers {transformers.__version__}, torch "
          f"{torch.__version__}")
    where = dict(pretrained_model_name_or_path=str(path.parent),
                 gguf_file=path.name)
    tokenizer = AutoTokenizer.from_pretrained(**where)
    model = AutoModelForCausalLM.from_pretrained(
        **where, dtype=torch.float32, attn_implementation="eager").eval()
    prompts = [tokenizer.encode(
        f"<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n")
        for text in ASKED] + [tokenizer.encode(text) for text in TOLD]

    with tempfile.TemporaryDirectory() as tmp:
        tmp = pathlib.Path(tmp)
        (tmp / "prompts.json").write_text(json.dumps(prompts))
        said = subprocess.run(
            [program, "f32", path, tmp / "prompts.json", tmp / "out.safetensors",
             str(NEW)], check=True, stdout=subprocess.PIPE, text=True)
        ours = load_file(tmp / "out.safetensors")
    print("ours:", said.stdout.strip())

    same, worst = 0, 0.0
    for i, prompt in enumerate(prompts):
        got = [int(t) for t in ours["tokens"][i] if t >= 0]
        with torch.no_grad():
            z = model(torch.tensor([prompt + got])).logits[0]
        z = z[len(prompt) - 1:-1]
        worst = max(worst, float((z[0] - ours["logits"][i]).abs().max()))
        want = z.argmax(-1).tolist()
        ended = len(got) == NEW or got[-1] == tokenizer.eos_token_id
        if generate:
            want = model.generate(
                torch.tensor([prompt]), do_sample=False, max_new_tokens=NEW,
                attention_mask=torch.ones(1, len(prompt)).long(),
                pad_token_id=0)[0].tolist()[len(prompt):]
        gap = z.topk(2).values
        print(f"prompt {i}: {'the same' if got == want else 'not the same'} "
              f"{len(got)} tokens, least gap "
              f"{float((gap[:, 0] - gap[:, 1]).min()):.2g}", flush=True)
        same += got == want and ended
    print(f"{same} of {len(prompts)} texts of up to {NEW} tokens are the same; "
          f"first logits differ by at most {worst:.2g}")
    sys.exit(0 if same == len(prompts) and worst <= TOLERANCE else 1)


if __name__ == "__main__":
    main()
