#!/bin/sh
# remedies.sh PLUMB - every named change of plumb whatif on a small project,
# each as its own table says.
. "$(dirname "$0")/check.sh"
export SOURCE_DATE_EPOCH=1000000000

tiny='--quick --world.demos 200 --world.rank-prompts 40 --set sft.epochs=2
    --set sft.save_every=3 --set ppo.kl_mode=k3_loss
    --set ppo.iterations=2 --set ppo.save_every=1 --set ppo.max_new=24
    --set eval.n_prompts=8 --set eval.samples=2 --set ppo.norm_prompts=8'
# shellcheck disable=SC2086 # a list of words
expect 0 demo $tiny --out project --quiet

# Each with a value where it wants one.
value() {
    case $1 in
    beta) echo =0.3 ;;
    kl-target | kl-budget | kl-stop) echo =1 ;;
    clip) echo =inf ;;
    objective) echo =pg ;;
    lambda) echo =1 ;;
    length-penalty) echo =0.01 ;;
    sft-epoch) echo =1 ;;
    ensemble | best-of) echo =2 ;;
    esac
}
expect 0 whatif project --change list
names=$(sed 's/[=[ ].*//' out)
asked=
n=0
for name in $names; do
    asked="$asked --change $name$(value "$name")"
    n=$((n + 1))
done
holds [ "$n" -gt 15 ]
# shellcheck disable=SC2086
expect 0 whatif project $asked --fresh-prompts 8 --fresh-samples 3 --json
holds jq -e --argjson n "$n" '(.changes | length == $n) and
    all(.changes[]; .seeds[0] | has("error") | not) and
    all(.changes[]; .seeds[0].measures.gold.effect.n == 8)' out
cp out result

# of NAME FILTER: holds of the change's entry.
of() {
    holds jq -e --arg name "$1" \
        "[.changes[] | select(.name == \$name)][0] | $2" result
}
of bounded '[.settings[] | [.key, .to]] ==
    [["ppo.score_shape", "sigmoid"], ["ppo.beta", "0.005"]]'
of best-of=2 '.stages == [] and .seeds[0].cost.iterations == 0 and
    .seeds[0].cost.samples_per_reply == 2 and
    (.seeds[0].cost.kl_bound - 0.1931 | fabs < 1e-4) and
    .seeds[0].measures.kl.changed.estimate == null'
of interpolate '.stages == [] and .settings[0].to == "0.5" and
    .seeds[0].measures.kl.effect.high < 0 and
    .seeds[0].measures.kl.changed.estimate > 0'
of ensemble=2 '.stages == ["reward", "ppo"] and .seeds[0].own_reward == null'
of fresh-labels '.stages == ["reward", "ppo"] and
    .seeds[0].own_reward.accuracy.n > 0'
of residual '.settings == [{"key": "reward.length_residual", "from": "false",
    "to": "true"}]'
of two-heads '.stages == ["reward", "ppo"] and .settings[0].to == "2"'

# Two reward models that are not the same, the first the recorded one.
config=project/whatif/ensemble=2/seed-1/ppo/config.yaml
holds grep -q 'reward_model: "../../../../reward/checkpoints' $config
holds grep -q 'reward_model_2: "../reward-2/checkpoints' $config
holds grep -q '^seed: 1001' project/whatif/ensemble=2/seed-1/reward-2/config.yaml
# Careful raters of the policy's own replies.
labels=project/whatif/fresh-labels/labels/rankings-8x3.jsonl
holds jq -e -s 'length == 8 and all(.[]; .rater == "careful" and
    (.responses | length == 3))' $labels

# At the ends of the way stand the two models.
expect 0 whatif project --change interpolate=0 --json
holds jq -e '.changes[0].seeds[0].measures.kl.changed.estimate < 1e-6' out
holds sh -c '! cmp -s project/sft/checkpoints/*12/model.safetensors \
    project/ppo/checkpoints/*2/model.safetensors'
expect 2 whatif project --change interpolate=1
says errors "the run has these settings"
expect 2 whatif project --change ensemble=9
says errors "outside [2, 5]"
expect 2 whatif project --change best-of=1
finish
