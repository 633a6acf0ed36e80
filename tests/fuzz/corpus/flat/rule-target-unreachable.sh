deepspeed --module openrlhf.cli.train_ppo_ray --pretrain m --reward_pretrain r \
   --rollout_batch_size 1024 --actor_learning_rate 5e-7 --kl_target 6 --max_samples 100000
