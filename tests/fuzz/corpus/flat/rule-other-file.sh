trl grpo --config recipe.yaml --beta 0.04
