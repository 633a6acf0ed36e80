python3 -m verl.trainer.main_ppo \
    actor_rollout_ref.model.path=m \
    data.train_batch_size=512 \
    actor_rollout_ref.actor.kl_loss_coef=0.01 \
    algorithm.adv_estimator=grpo
