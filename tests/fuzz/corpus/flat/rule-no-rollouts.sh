trl sft --model_name_or_path m --dataset_name d --packing
