#!/bin/sh
# adapters.sh PLUMB - every stage with a low-rank adapter: PEFT's files, a
# merged model at the end, the same bytes on any number of threads and after a
# stop, and what is refused.
. "$(dirname "$0")/check.sh"
shape='--channels 8 --layers 2 --heads 2 --kv-heads 1 --feed-forward 8'
lora='--lora-rank 2 --lora-alpha 4'

expect 0 world tokenizer --out desk
expect 0 world demos --demos 160 --out demos.jsonl
expect 0 world tickets --split ranking --tickets 12 --out ranked.jsonl
expect 0 world tickets --split ppo --tickets 16 --out prompts.jsonl
# shellcheck disable=SC2086 # lists of words
{
expect 0 sft --data demos.jsonl --tokenizer desk $shape --epochs 1 --out base
expect 0 sft --data demos.jsonl --model base --epochs 2 --save-every 2 $lora \
    --out sft
expect 0 generate -m sft --prompts ranked.jsonl --samples 3 --max-new 12 \
    --out candidates.jsonl
expect 0 world rank --data candidates.jsonl --out rankings.jsonl
expect 0 reward --data rankings.jsonl --model sft --epochs 1 $lora --out reward
expect 0 ppo --model sft --reward-model reward --prompts prompts.jsonl $lora \
    --iterations 3 --batch 8 --max-new 12 --norm-prompts 8 --save-every 1 \
    --lora-targets q_proj,v_proj --value-trunk --out ppo
expect 0 ppo --model sft --reward-model reward --prompts prompts.jsonl $lora \
    --iterations 3 --batch 8 --max-new 12 --norm-prompts 8 --save-every 1 \
    --lora-targets q_proj,v_proj --value-trunk --threads 1 --out ppo_one
}

# PEFT's format, and Plumb's way back to the base.
last=$(ls sft/checkpoints | tail -1)
for file in adapter_config.json adapter_model.safetensors base.json \
    tokenizer.json; do
    holds [ -s "sft/checkpoints/$last/$file" ]
done
holds jq -e '.peft_type == "LORA" and .r == 2 and .lora_alpha == 4 and
    .task_type == "CAUSAL_LM" and (.target_modules | length) == 7' \
    "sft/checkpoints/$last/adapter_config.json"
holds [ ! -e "sft/checkpoints/$last/config.json" ]
last_ppo=$(ls ppo/checkpoints | tail -1)
holds jq -e '.target_modules == ["q_proj", "v_proj"]' \
    "ppo/checkpoints/$last_ppo/adapter_config.json"
last_reward=$(ls reward/checkpoints | tail -1)
holds jq -e '.task_type == "SEQ_CLS" and .modules_to_save == ["score"]' \
    "reward/checkpoints/$last_reward/adapter_config.json"

# A finished run is its merged model, and an adapter's folder gives the same.
for run in sft reward ppo; do
    holds [ -s "$run/merged/model.safetensors" ]
done
expect 0 generate -m sft --prompt 'where is order #Q4?' --greedy --max-new 8 \
    --json
jq 'del(.model)' out >merged.json
expect 0 generate -m "sft/checkpoints/$last" --prompt 'where is order #Q4?' \
    --greedy --max-new 8 --json
jq 'del(.model)' out >apart.json
holds cmp merged.json apart.json

# One thread or two.
holds cmp ppo/metrics.jsonl ppo_one/metrics.jsonl
holds cmp ppo/merged/model.safetensors ppo_one/merged/model.safetensors

# Going on from a checkpoint ends in the same bytes.
cp -r ppo again
rm -rf again/merged again/result.json "again/checkpoints/$last_ppo"
# shellcheck disable=SC2086
expect 0 ppo -c ppo/config.yaml --out again --resume
for file in metrics.jsonl merged/model.safetensors \
    "checkpoints/$last_ppo/adapter_model.safetensors" \
    "checkpoints/$last_ppo/trainer.safetensors"; do
    holds cmp "ppo/$file" "again/$file"
done

# Killed behind the last checkpoint, a run makes its merged model the same.
for run in sft reward ppo; do
    rm -rf again
    cp -r $run again
    rm -rf again/merged again/result.json
    expect 0 "$run" -c "$run/config.yaml" --out again --resume
    holds cmp "$run/merged/model.safetensors" again/merged/model.safetensors
    holds cmp "$run/result.json" again/result.json
done

# What was read of the prompts stands in the result.
holds jq -e '.data.read == 16 and .data.skipped_bad == 0 and
    .data.chat_template == "support"' ppo/result.json

# Another reference than the model: three adapters and two bases.
# shellcheck disable=SC2086
expect 0 ppo --model sft --reference base --reward-model reward $lora \
    --prompts prompts.jsonl --iterations 2 --batch 8 --max-new 12 \
    --norm-prompts 8 --save-every 1 --value-trunk --out ppo_other
rm -rf again
cp -r ppo_other again
rm -rf again/merged again/result.json again/checkpoints/000002
expect 0 ppo -c ppo_other/config.yaml --out again --resume
holds cmp ppo_other/metrics.jsonl again/metrics.jsonl
holds cmp ppo_other/merged/model.safetensors again/merged/model.safetensors

# Evaluation reads every checkpoint, adapters too, and says what it skipped.
{
    cat prompts.jsonl
    echo '{"id":"bad"}'
} >asked.jsonl
expect 0 eval ppo --prompts asked.jsonl --skip-bad 1 --n-prompts 8 \
    --samples 2 --max-new 12 --out evaluated --json
holds jq -e '.rm_delta.n == 8 and .data.skipped_bad == 1 and
    .data.read == 17' out
says errors 'skipped: 1 bad'

# A dry run counts what is trained: the floats that the adapters' files hold,
# and of a value head on the policy's trunk one row.
floats() {
    "$plumb" inspect "$1/adapter_model.safetensors" --json |
        jq '[.tensors[].bytes] | add / 4'
}
planned() {
    expect 0 "$@" --out dry --dry-run --json
    holds jq -e ".trainable == $trained and .memory_bytes > 0" out
}
trained=$(floats "sft/checkpoints/$last")
# shellcheck disable=SC2086 # lists of words
{
planned sft --data demos.jsonl --model base $lora
trained=$(floats "reward/checkpoints/$last_reward")
planned reward --data rankings.jsonl --model sft $lora --precision bf16
trained=$(($(floats "ppo/checkpoints/$last_ppo") + 8))
planned ppo --model sft --reward-model reward --prompts prompts.jsonl $lora \
    --lora-targets q_proj,v_proj --value-trunk --max-new 12
trained=$(($(floats "sft/checkpoints/$last") +
    $(floats "reward/checkpoints/$last_reward")))
planned ppo --model sft --reward-model reward --prompts prompts.jsonl $lora \
    --max-new 12
expect 2 sft --data demos.jsonl --model "sft/checkpoints/$last" $lora \
    --out dry --dry-run
expect 2 sft --data demos.jsonl --model base --precision bf16 --out dry \
    --dry-run
expect 2 sft --data demos.jsonl --model base --lora-targets q_proj --out dry \
    --dry-run
expect 4 sft --data demos.jsonl --model reward --out dry --dry-run
expect 4 ppo --model sft --reward-model sft --prompts prompts.jsonl $lora \
    --max-new 12 --out dry --dry-run
expect 2 ppo --model sft --reward-model reward --prompts prompts.jsonl $lora \
    --max-new 500 --out dry --dry-run
says errors 'ppo.max_new = 500'
expect 4 sft --data demos.jsonl --model base --max-tokens 4 --out dry --dry-run
holds [ ! -e dry ]
}

# Without an adapter of its own a run from one trains the whole model.
expect 0 sft --data demos.jsonl --model "sft/checkpoints/$last" --out dry \
    --dry-run --json
holds jq -e '.trainable == .parameters' out

# A value model of its own, as an adapter on the reward model's parameters.
# shellcheck disable=SC2086
expect 0 ppo --model sft --reward-model reward --prompts prompts.jsonl $lora \
    --iterations 1 --batch 8 --max-new 12 --norm-prompts 8 --out ppo_value

# Bases frozen in bf16: near the same run, and refused without an adapter.
# shellcheck disable=SC2086
{
expect 0 ppo --model sft --reward-model reward --prompts prompts.jsonl $lora \
    --iterations 1 --batch 8 --max-new 12 --norm-prompts 8 --value-trunk \
    --precision bf16 --out ppo_narrow --json
holds [ -s ppo_narrow/merged/model.safetensors ]
expect 0 reward --data rankings.jsonl --model sft --epochs 1 $lora \
    --precision bf16 --out reward_narrow
expect 0 generate -m sft --prompt 'where is order #Q4?' --greedy --max-new 8 \
    --precision bf16 --json
expect 2 sft --data demos.jsonl --model base --precision bf16 --out no
says errors 'lora_rank'
}

# Refused.
# shellcheck disable=SC2086
{
expect 2 sft --data demos.jsonl --tokenizer desk $shape $lora --out no
says errors 'sft.lora_rank'
expect 2 sft --data demos.jsonl --model sft $lora --lora-targets q_proj,nose \
    --out no
says errors "'nose'"
expect 2 sft --data demos.jsonl --model sft --lora-targets q_proj --out no
says errors 'without lora_rank'
expect 2 sft --data demos.jsonl --tokenizer desk $shape --precision bf16 \
    --out no
expect 2 sft --data demos.jsonl --model "sft/checkpoints/$last" $lora --out no
says errors 'is an adapter'
}
cp -r "sft/checkpoints/$last" broken
rm broken/base.json
jq '.base_model_name_or_path = "nobody/nothing"' \
    "sft/checkpoints/$last/adapter_config.json" >broken/adapter_config.json
expect 5 generate -m broken --prompt 'where is order #Q4?'
says errors 'hf download nobody/nothing'
jq '.use_dora = true' "sft/checkpoints/$last/adapter_config.json" \
    >broken/adapter_config.json
cp "sft/checkpoints/$last/base.json" broken
expect 4 generate -m broken --prompt 'where is order #Q4?'
says errors 'use_dora'
jq '.r = 3' "sft/checkpoints/$last/adapter_config.json" \
    >broken/adapter_config.json
expect 4 generate -m broken --prompt 'where is order #Q4?'
says errors 'lora_A'
finish
