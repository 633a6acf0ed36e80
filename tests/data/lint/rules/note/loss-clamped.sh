python3 -m openrlhf.cli.train_ppo_ray --actor.model_name_or_path m \
   --rollout.batch_size 1024 --algo.kl.use_loss --algo.kl.estimator k2
