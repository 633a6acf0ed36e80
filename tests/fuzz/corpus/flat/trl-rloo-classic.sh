python examples/scripts/rloo/rloo_tldr.py --output_dir runs/rloo \
    --rloo_k 4 --num_ppo_epochs 2 --num_mini_batches 2 \
    --learning_rate 3e-6 --total_episodes 1000000 \
    --kl_coef 0.1 --temperature 1.0 \
    --sft_model_path models/sft --reward_model_path models/rm \
    --stop_token eos --missing_eos_penalty 1.0 --response_length 53 \
    --pad_token_id 50277 --eos_token_id 0
