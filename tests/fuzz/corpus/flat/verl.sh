#!/usr/bin/env bash
set -xeuo pipefail

use_kl_in_reward=True
kl_coef=0.1
n_resp=1

python3 -m verl.trainer.main_ppo \
    algorithm.adv_estimator=gae \
    algorithm.use_kl_in_reward=${use_kl_in_reward} \
    algorithm.kl_ctrl.kl_coef=${kl_coef} \
    data.train_files="$HOME/data/train.parquet" \
    data.train_batch_size=1024 \
    data.max_response_length=512 \
    actor_rollout_ref.model.path=Qwen/Qwen2.5-7B-Instruct \
    actor_rollout_ref.actor.optim.lr=1e-6 \
    actor_rollout_ref.actor.ppo_mini_batch_size=256 \
    actor_rollout_ref.actor.use_kl_loss=False \
    actor_rollout_ref.rollout.n=${n_resp} \
    actor_rollout_ref.rollout.name=vllm \
    +reward.reward_kwargs.overlong_buffer_cfg.enable=True \
    critic.optim.lr=1e-5 \
    trainer.logger='["console","wandb"]' \
    trainer.total_epochs=15 "$@"
