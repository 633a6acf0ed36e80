python3 -m verl.trainer.main_ppo \
    actor_rollout_ref.model.path=m \
    data.train_batch_size=512 \
    actor_rollout_ref.actor.optim.lr=1e-4 \
    actor_rollout_ref.rollout.n=8
