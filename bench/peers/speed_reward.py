#!/usr/bin/env python3
"""Reward-model training in TRL on 64 pairs: pairs a second, as the seconds
that one pass over them takes.

Use: V/bin/python speed_reward.py f32|bf16 MODEL_FOLDER PAIRS.jsonl [THREADS]
PAIRS has one {"prompt", "chosen", "rejected"} a line.
"""

import json
import sys
import tempfile
import time

import torch
from datasets import Dataset
from transformers import (AutoModelForSequenceClassification, AutoTokenizer,
                          TrainerCallback)
from trl import RewardConfig, RewardTrainer

import speed

BATCH = 8


class Clock(TrainerCallback):
    """When each pass over the pairs was done."""

    def __init__(self):
        self.moments = []

    def on_epoch_begin(self, args, state, control, **kwargs):
        self.moments.append([time.perf_counter()])

    def on_epoch_end(self, args, state, control, **kwargs):
        self.moments[-1].append(time.perf_counter())


def warm_up(trainer, kind):
    """One minibatch forward and backward, not counted: what the first use of
    a kernel costs is no part of training."""
    batch = next(iter(trainer.get_train_dataloader()))
    batch = {key: value for key, value in batch.items()
             if key in ("input_ids", "attention_mask")}
    with torch.autocast("cpu", torch.bfloat16, enabled=kind == "bf16"):
        trainer.model(**batch).logits.sum().backward()
    trainer.model.zero_grad(set_to_none=True)


def main():
    kind = sys.argv[1]
    speed.threads(int(sys.argv[4]) if len(sys.argv) > 4 else 2)
    torch.manual_seed(1)
    tokenizer = AutoTokenizer.from_pretrained(sys.argv[2])
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    model = AutoModelForSequenceClassification.from_pretrained(
        sys.argv[2], num_labels=1, dtype=torch.float32)
    model.config.pad_token_id = tokenizer.pad_token_id
    with open(sys.argv[3], encoding="utf-8") as file:
        rows = [json.loads(line) for line in file][:64]
    clock = Clock()
    with tempfile.TemporaryDirectory() as out:
        config = RewardConfig(
            output_dir=out, use_cpu=True, bf16=kind == "bf16",
            gradient_checkpointing=False, per_device_train_batch_size=BATCH,
            num_train_epochs=1, max_length=512, learning_rate=1e-5,
            report_to="none", save_strategy="no", disable_tqdm=True,
            dataloader_pin_memory=False)
        trainer = RewardTrainer(model=model, args=config,
                                processing_class=tokenizer,
                                train_dataset=Dataset.from_list(rows),
                                callbacks=[clock])
        warm_up(trainer, kind)
        trainer.train()
    seconds = [end - begin for begin, end in clock.moments]
    print(f"pairs {len(rows)}")
    speed.told(seconds, kind)


if __name__ == "__main__":
    main()
