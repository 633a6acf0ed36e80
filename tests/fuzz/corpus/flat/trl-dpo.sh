trl dpo --model_name_or_path Qwen/Qwen2-0.5B-Instruct \
    --dataset_name trl-lib/ultrafeedback_binarized \
    --beta 0.1 --loss_type sigmoid --learning_rate 5e-7 --output_dir dpo
