#!/bin/sh
# stages.sh PLUMB - each stage as its own command, from tickets to PPO, on a
# model small enough for sanitizers; every JSON document can be read.
. "$(dirname "$0")/check.sh"
shape='--channels 8 --layers 1 --heads 2 --kv-heads 1 --feed-forward 8'

expect 0 world tokenizer --out desk
expect 0 world demos --demos 200 --out demos.jsonl
expect 0 world tickets --split ranking --tickets 12 --out ranked.jsonl
expect 0 world tickets --split ppo --tickets 16 --out prompts.jsonl
expect 0 world tickets --intents refund,late --mix-shift 1 --tickets 40 \
    --out drifting.jsonl
holds jq -se 'map(.tags.intent) | unique == ["late", "refund"]' drifting.jsonl
holds jq -se '.[0].tags.intent == "refund" and .[39].tags.intent == "late"' \
    drifting.jsonl
# shellcheck disable=SC2086 # a list of words
expect 0 sft --data demos.jsonl --tokenizer desk $shape --epochs 1 --out sft
expect 0 generate -m sft --prompts ranked.jsonl --samples 3 --max-new 12 \
    --out candidates.jsonl
holds [ "$(jq -s 'map(.responses | length == 3) | all' candidates.jsonl)" = true ]
holds [ "$(jq -s 'map(.ticket != null) | all' candidates.jsonl)" = true ]
expect 0 generate -m sft --prompts ranked.jsonl --samples 3 --max-new 12 \
    --threads 1
holds cmp out candidates.jsonl
expect 0 world rank --data candidates.jsonl --out rankings.jsonl
holds [ "$(jq -s 'map(.ranking | length == 3) | all' rankings.jsonl)" = true ]
expect 0 world judge --data candidates.jsonl --out judged.jsonl
holds [ "$(jq -s 'length' judged.jsonl)" = 12 ]
expect 0 world judge --panel careful --data candidates.jsonl \
    --reference candidates.jsonl --pairs 10 --placebo-pairs 10 --twice 4 \
    --out spotcheck.jsonl
holds [ "$(jq -s 'length' spotcheck.jsonl)" = 24 ]
expect 0 reward --data rankings.jsonl --model sft --epochs 1 --out reward --json
holds jq -e 'has("accuracy")' out
holds jq -e '.accuracy.n >= 0 and (.verdict | type == "string")' \
    reward/eval/heldout.json
expect 0 ppo --model sft --reward-model reward --prompts prompts.jsonl \
    --iterations 2 --batch 8 --max-new 12 --norm-prompts 8 --out ppo --json
holds jq -e '.schema == "plumb.result/1"' out

# In bfloat16 sampler and trainer differ by its rounding, which a diagnosis knows
# by the record of the run; a gate of one's own is obeyed, tighter or looser.
tune='--model sft --reward-model reward --prompts prompts.jsonl --iterations 2
    --batch 8 --max-new 12 --norm-prompts 8'
# shellcheck disable=SC2086 # a list of words
expect 0 ppo $tune --compute bf16 --out bf16
says bf16/config.yaml 'compute: bf16'
expect 0 diagnose bf16 --out bf16.json
holds jq -e '.gates[0] | .id == "V1" and .verdict == "supported" and
    (.text | contains("products are of bfloat16s"))' bf16.json
sed -i 's/^compute: bf16$/compute: f32/' bf16/config.yaml
expect 0 diagnose bf16 --out float.json
holds jq -e '.gates[0] | .verdict == "not_supported"' float.json
# shellcheck disable=SC2086
expect 1 ppo $tune --compute bf16 --ratio-gate 1e-6 --out tight
says errors '(gate 1e-06)'
says tight/config.yaml 'ratio_gate: 1e-06'
holds [ ! -e tight/result.json ]
# shellcheck disable=SC2086
expect 1 ppo $tune --temperature 0.3 --log-temperature 1 --out colder
says errors '(gate 0.0001)'
# shellcheck disable=SC2086
expect 0 ppo $tune --temperature 0.3 --log-temperature 1 --ratio-gate 1e9 \
    --out colder --overwrite

expect 0 generate -m ppo --prompt 'where is order #Q4?' --greedy --max-new 8 \
    --json
holds jq -e '.schema and .plumb_version and (.prompt_ids | length > 3) and
    (.response_ids | length == ($n | tonumber)) and (.text | type == "string")
    and (.logp | length == ($n | tonumber)) and
    (.logp | map(. <= 0) | all)' --arg n "$(jq '.response_ids | length' out)" out
cp out first
expect 0 generate -m ppo --prompt 'where is order #Q4?' --greedy --max-new 8 \
    --json
holds cmp out first
expect 4 generate -m ppo --prompt 'xylophone' --greedy

# Another stage's run is not a ppo run, though it has a config.yaml too.
for stage in sft reward; do
    expect 5 eval $stage
    says errors "$stage is no ppo run"
done
expect 0 eval ppo --n-prompts 8 --samples 2 --max-new 12 --out evaluated/here \
    --json
holds jq -e '.rm_delta.n == 8' out
holds [ -s evaluated/here/report.html ]

# Best of n: of the samples that are drawn without it, the best of every n.
expect 0 generate -m sft --prompts ranked.jsonl --samples 8 --max-new 12 \
    --reward-model reward --out scored.jsonl
expect 0 generate -m sft --prompts ranked.jsonl --samples 2 --best-of 4 \
    --max-new 12 --reward-model reward --out best.jsonl
holds jq -se '[.[0:12], .[12:24]] | transpose | map(
    (.[0].score_raw[0:4] | max) == .[1].score_raw[0] and
    (.[0].score_raw[4:8] | max) == .[1].score_raw[1] and
    (.[1].responses[0] as $r | .[0].responses[0:4] | index($r) != null) and
    (.[1].finish | length == 2)) | all' scored.jsonl best.jsonl
expect 0 generate -m sft --prompt 'where is order #Q4?' --max-new 8 \
    --best-of 3 --reward-model reward --json
holds jq -e '.best_of == 3 and (.score_raw | type == "number") and
    (.reward_model | length > 0)' out
expect 2 generate -m sft --prompt 'where is order #Q4?' --best-of 3
says errors "--reward-model"
expect 0 eval ppo --n-prompts 8 --samples 2 --best-of 8 --max-new 12 \
    --out evaluated/best --json
# The best of eight beats a plain sample, and says what it is.
holds jq -e '.rm_delta.estimate > 0 and .best_of == 8 and
    .best_of_kl_bound > 1.2 and .best_of_kl_bound < 1.21 and
    .kl_sequence_final.estimate == null and
    (.policy | contains("sft"))' out
holds [ ! -e evaluated/best/eval/curve.json ]

# Weak gold: a second reward model from other pairs, on prompts of a file.
jq -c '{id, prompt}' prompts.jsonl >plain.jsonl
jq -c '.responses |= map(split(" ")[:-1] | join(" "))' rankings.jsonl |
    head -n 8 >other.jsonl
{ cat other.jsonl; tail -n 1 rankings.jsonl; } >mixed.jsonl
expect 0 reward --data rankings.jsonl --model sft --epochs 1 --seed 2 --out same
expect 0 reward --data other.jsonl --model sft --epochs 1 --out second
expect 2 eval ppo --gold-model same --prompts plain.jsonl --n-prompts 8 \
    --out none
says errors '12 of the 12 records'
expect 0 reward --data mixed.jsonl --model sft --epochs 1 --out mixed
expect 2 eval ppo --gold-model mixed --prompts plain.jsonl --n-prompts 8
says errors '1 of the 9 records'
expect 2 eval ppo --gold-model reward --prompts plain.jsonl --n-prompts 8
# What was added to the data is known to the second model's judges, too.
tail -n 1 rankings.jsonl >one.jsonl
expect 0 reward --data other.jsonl --extra-data one.jsonl --model sft --epochs 1 \
    --out added
holds jq -e '.extra_prompts == 1 and .training_prompts == 9' added/result.json
holds grep -q extra_data_sha256 added/config.yaml
expect 2 eval ppo --gold-model added --prompts plain.jsonl --n-prompts 8
says errors '1 of the 9 records'
expect 0 reward --data other.jsonl --extra-data other.jsonl --holdout 0.25 \
    --model sft --epochs 1 --out twice
says errors 'have a prompt that is held out'
holds jq -e '.extra_prompts == 8 and .training_prompts == 14 and
    .heldout_prompts == 2' twice/result.json
expect 0 eval ppo --gold-model second --prompts plain.jsonl --n-prompts 8 \
    --samples 2 --max-new 12 --out weak --json
holds jq -e '.weak_gold.win_rate.n == 8 and .gold_win_rate.n == 0 and
    .human_down_from == "weak gold" and .reward_heldout.step > 0' out
holds grep -q 'second reward model (trained on disjoint pairs)' weak/report.html
holds [ "$(grep -c 'gold rubric' weak/report.html)" = 0 ]
# Without its data nobody can say what it was trained on.
mv other.jsonl elsewhere.jsonl
expect 0 eval ppo --gold-model second --prompts plain.jsonl --n-prompts 8 \
    --samples 1 --max-new 12 --out weak
says out 'what it was trained on is not known'

expect 0 inspect ppo --json
holds jq -e '.kind == "run" and .complete and .last_step == 2 and
    (.checkpoints | length >= 1) and .metrics["kl/sequence"] != null' out
expect 0 inspect . --json
holds jq -e '.kind == "project" and .sft.complete and .reward.complete' out
expect 0 inspect ppo/rollouts/000001.jsonl.zst --json
holds jq -e '.kind == "rows" and .rows == 8 and .fields.gold.rows == 8' out
model=ppo/checkpoints/000002
expect 0 inspect $model --json
holds jq -e '.kind == "model" and .head == "lm" and .tokenizer.fits' out
expect 0 inspect $model/model.safetensors --json
holds jq -e '.kind == "safetensors" and (.tensors | length > 5)' out
for path in ppo . $model $model/model.safetensors prompts.jsonl; do
    expect 0 inspect $path
    says out "kind:"
done

# A model that does not fit its tokenizer is refused.
cp -r $model crippled
jq '.model.vocab |= . + {"one more": length}' \
    $model/tokenizer.json >crippled/tokenizer.json
expect 4 generate -m crippled --prompt hello

# A prompt that does not fit is named by file and record; no prompts, no file.
{
    head -2 prompts.jsonl
    printf '{"id":"long","prompt":"%s"}\n' "$(seq -s ' where' 200 | tr -d 0-9)"
} >long.jsonl
expect 4 generate -m sft --prompts long.jsonl --out answers.jsonl
says errors "long.jsonl: record 'long': 201 tokens are more than"
: >empty.jsonl
expect 4 generate -m sft --prompts empty.jsonl --out answers.jsonl
says errors "empty.jsonl: no prompts"
holds [ ! -e answers.jsonl ]

# Too little to train on.
expect 4 sft --data empty.jsonl --model sft --out none
says errors "0 records to train on, fewer than sft.batch = 32"
expect 4 reward --data empty.jsonl --model sft --dry-run --out none
says errors "empty.jsonl: no records"
expect 2 reward --data rankings.jsonl --model sft --batch 100 --out none
says errors "fewer than reward.batch = 100"

# Neither a refused setting nor a missing parent nor a dry run leaves anything.
holds [ ! -e none ]
for refused in '--channels 9 --heads 2' '--heads 4 --kv-heads 3' \
    '--channels 6 --heads 2' '--batch 1000' '--chat llama2' \
    '--lora-rank 2'; do
    # shellcheck disable=SC2086 # a list of words
    expect 2 sft --data demos.jsonl --tokenizer desk $refused --out absent/sft
done
expect 2 reward --data rankings.jsonl --model sft --holdout 0.99 --out absent
for refused in '--minibatches 17' '--kl-control adaptive --kl-target 0' \
    '--dual-clip 0.5' '--max-new 100000'; do
    # shellcheck disable=SC2086
    expect 2 ppo --model sft --reward-model reward --prompts prompts.jsonl \
        --iterations 2 --batch 8 $refused --out absent
done
expect 2 ppo --model sft --reward-model reward --prompts prompts.jsonl \
    --batch 8 --minibatches 17 --dry-run --out absent
says errors 'ppo.minibatches = 17, but an iteration has only 8 responses'
expect 2 demo --quick --set sft.kv_heads=3 --out absent
expect 2 demo --quick --set ppo.dual_clip=0.5 --out absent
expect 2 demo --resume --overwrite --out absent
expect 2 world rank --out absent/rank.jsonl
says errors 'data is not set: candidate sets to rank'
expect 5 sft --data nowhere.jsonl --tokenizer desk --out absent
expect 0 sft --data demos.jsonl --tokenizer desk --dry-run --out absent
holds [ ! -e absent ]

# Progress goes nowhere but to standard error: closed files are not reused.
"$plumb" ppo --model sft --reward-model reward --prompts prompts.jsonl \
    --iterations 2 --batch 8 --max-new 12 --norm-prompts 8 --out closed \
    <&- >&- 2>&-
holds [ $? -eq 0 ]
holds cmp ppo/metrics.jsonl closed/metrics.jsonl
holds sh -c '! grep -rqa "policy optimisation against" closed'

# A model folder whose weights are cut short.
cp -r $model cut
truncate -s -8 cut/model.safetensors
expect 4 inspect cut
says errors "cut/model.safetensors"
finish
