#!/usr/bin/env python3
"""PPO iterations in TRL: sampling, reference, value and reward models, and the
epochs of updates, as `plumb ppo` does them: the same prompts, lengths, epochs
and minibatches, value and reward models of the policy's size.  The figure is
the median over all iterations but the first, or the only one.

What differs: TRL pads to the longest and computes in the padding, samples on
where a response ended until all have, keeps the logits of all tokens and
vocabulary entries, and in LoRA trains the whole value model.

Use: V/bin/python speed_ppo.py f32|bf16 POLICY REWARD PROMPTS.jsonl ROLLOUTS \\
         NEW_TOKENS EPOCHS MINIBATCHES [--lora RANK] [--iterations N]
POLICY and REWARD are folders, PROMPTS has one {"prompt": text} a line.
"""

import argparse
import json
import tempfile
import time

import torch
from datasets import Dataset
from transformers import (AutoModelForCausalLM,
                          AutoModelForSequenceClassification, AutoTokenizer,
                          TrainerCallback)
from trl.experimental.ppo import PPOConfig, PPOTrainer

import speed


class Clock(TrainerCallback):
    """When each iteration was done."""

    def __init__(self):
        self.moments = []

    def on_train_begin(self, args, state, control, **kwargs):
        self.moments.append(time.perf_counter())

    def on_step_end(self, args, state, control, **kwargs):
        self.moments.append(time.perf_counter())


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=["f32", "bf16"])
    parser.add_argument("policy")
    parser.add_argument("reward")
    parser.add_argument("prompts")
    parser.add_argument("rollouts", type=int)
    parser.add_argument("new_tokens", type=int)
    parser.add_argument("epochs", type=int)
    parser.add_argument("minibatches", type=int)
    parser.add_argument("--lora", type=int, default=0)
    parser.add_argument("--iterations", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


def dataset(path, tokenizer, n):
    with open(path, encoding="utf-8") as file:
        rows = [json.loads(line) for line in file][:n]
    return Dataset.from_list(
        [{"input_ids": tokenizer(row["prompt"])["input_ids"]} for row in rows])


def main():
    a = arguments()
    speed.threads(a.threads)
    torch.manual_seed(1)
    tokenizer = AutoTokenizer.from_pretrained(a.policy, padding_side="left")
    if tokenizer.pad_token is None:
        tokenizer.add_special_tokens({"pad_token": "[PAD]"})
    policy = AutoModelForCausalLM.from_pretrained(a.policy,
                                                  dtype=torch.float32)
    peft = None
    reference = None
    if a.lora > 0:
        from peft import LoraConfig
        peft = LoraConfig(r=a.lora, lora_alpha=2 * a.lora,
                          target_modules="all-linear", task_type="CAUSAL_LM")
    else:
        reference = AutoModelForCausalLM.from_pretrained(a.policy,
                                                         dtype=torch.float32)
    score = [AutoModelForSequenceClassification.from_pretrained(
        a.reward, num_labels=1, dtype=torch.float32) for _ in range(2)]
    data = dataset(a.prompts, tokenizer, a.rollouts * a.iterations)
    clock = Clock()
    with tempfile.TemporaryDirectory() as out:
        config = PPOConfig(
            output_dir=out, use_cpu=True, bf16=a.kind == "bf16",
            gradient_checkpointing=False, learning_rate=1e-5,
            # One update a minibatch: TRL's accumulation counts minibatches.
            per_device_train_batch_size=a.rollouts,
            gradient_accumulation_steps=1, num_mini_batches=a.minibatches,
            local_rollout_forward_batch_size=a.rollouts,
            num_ppo_epochs=a.epochs, response_length=a.new_tokens,
            total_episodes=a.rollouts * a.iterations, temperature=1.0,
            stop_token="eos", num_sample_generations=0, report_to="none",
            save_strategy="no", logging_steps=1, disable_tqdm=True)
        trainer = PPOTrainer(
            args=config, processing_class=tokenizer, model=policy,
            ref_model=reference, reward_model=score[0], value_model=score[1],
            train_dataset=data, eval_dataset=data, peft_config=peft,
            callbacks=[clock])
        trainer.train()
    seconds = [b - a for a, b in zip(clock.moments, clock.moments[1:])]
    speed.told(seconds[1:] or seconds, a.kind)


if __name__ == "__main__":
    main()
