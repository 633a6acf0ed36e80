python3 -m verl.trainer.main_ppo \
    actor_rollout_ref.model.path=m \
    data.train_batch_size=512 \
    actor_rollout_ref.actor.use_kl_loss=True \
    algorithm.use_kl_in_reward=True
