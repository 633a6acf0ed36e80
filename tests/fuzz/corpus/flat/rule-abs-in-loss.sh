python3 -m verl.trainer.main_ppo \
    actor_rollout_ref.model.path=m \
    data.train_batch_size=512 \
    actor_rollout_ref.actor.use_kl_loss=True \
    actor_rollout_ref.actor.kl_loss_type=abs
