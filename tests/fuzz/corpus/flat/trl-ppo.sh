#!/bin/bash
set -euo pipefail
MODEL=${MODEL:-EleutherAI/pythia-1b-deduped}
KL=0.1

accelerate launch --num_processes 4 --config_file zero2.yaml \
    examples/scripts/ppo/ppo_tldr.py \
    --dataset_name trl-lib/tldr \
    --output_dir runs/ppo_tldr \
    --learning_rate 3e-6 \
    --per_device_train_batch_size 16 \
    --gradient_accumulation_steps 4 \
    --total_episodes 1000000 \
    --model_name_or_path "$MODEL" \
    --sft_model_path models/sft --reward_model_path models/rm \
    --kl_coef $KL \
    --missing_eos_penalty 1.0 \
    --stop_token eos \
    --response_length 53
