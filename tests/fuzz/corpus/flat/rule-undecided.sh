python3 -m verl.trainer.main_ppo \
    actor_rollout_ref.model.path=m \
    data.train_batch_size=512 \
    algorithm.use_kl_in_reward=$WITH_KL \
    actor_rollout_ref.rollout.n=8
