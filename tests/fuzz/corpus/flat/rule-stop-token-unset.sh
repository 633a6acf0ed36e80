python examples/scripts/ppo/ppo.py --total_episodes 10000 \
    --per_device_train_batch_size 64 --missing_eos_penalty 1.0
