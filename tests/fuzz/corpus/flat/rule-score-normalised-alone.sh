python3 -m openrlhf.cli.train_ppo_ray \
   --actor.model_name_or_path m \
   --reward.model_name_or_path r \
   --rollout.batch_size 1024 --algo.advantage.estimator group_norm --rollout.n_samples_per_prompt 8
