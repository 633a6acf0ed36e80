set -x

ALGO_ARGS=(
   --algo.kl.init_coef 0.1      # in the reward, by k1
   # --algo.kl.use_loss
   --algo.kl.estimator k1
   --algo.advantage.estimator gae
   --algo.advantage.lambd 1.0
)

ray job submit --address="http://127.0.0.1:8265" \
   --runtime-env-json='{"working_dir": "/openrlhf"}' \
   -- python3 -m openrlhf.cli.train_ppo_ray \
   --actor.num_nodes 1 --actor.num_gpus_per_node 8 \
   --vllm.num_engines 4 --vllm.tensor_parallel_size 2 \
   --train.colocate_all \
   --actor.model_name_or_path OpenRLHF/Llama-3-8b-sft-mixture \
   --reward.model_name_or_path OpenRLHF/Llama-3-8b-rm-700k \
   --reward.normalize_enable \
   --reward.stop_properly_penalty_coef 0 \
   --train.batch_size 1024 --rollout.batch_size 1024 \
   --data.max_len 2048 --data.max_samples 100000 \
   --actor.adam.lr 5e-7 --critic.adam.lr 9e-6 \
   --data.prompt_dataset OpenRLHF/prompt-collection-v0.1 \
   --data.input_key context_messages --data.apply_chat_template \
   "${ALGO_ARGS[@]}"
