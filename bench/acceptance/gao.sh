#!/bin/sh
# gao.sh - over-optimisation by PPO (Gao, Schulman and Hilton 2022, in small).
#
# Reward models of 500, 2,000 and 8,000 gold-labelled pairs (84, 334, 1,334
# prompts with four replies each, six pairs a prompt), trained for the same
# number of updates; policies at a KL price of 0, 0.05 and 0.2 deviations of the
# score within a prompt; three seeds with rankings of their own.  accept_gao.c
# says what is asked of the curves.
here=$(cd "$(dirname "$0")" && pwd)
. "$here/common.sh"

# one BETA SEED PROMPTS EPOCHS: a policy, behind its reward model.
one() {
    beta=$1 seed=$2 n=$3 epochs=$4
    dir=gao/s$seed-n$n
    mkdir -p "$OUT/$dir"
    tail -n "+$(((seed - 1) * 1400 + 1))" "$OUT/base/candidates.jsonl" |
        head -n "$n" >"$OUT/$dir/candidates.jsonl"
    once "$dir/rankings.jsonl" world rank --data "$OUT/$dir/candidates.jsonl" \
        --hurried 0 --seed "$seed"
    once "$dir/audit.jsonl" world rank --data "$OUT/base/audit.jsonl" \
        --hurried 0 --seed 1
    once "$dir/reward" reward --data "$OUT/$dir/rankings.jsonl" \
        --heldout "$OUT/$dir/audit.jsonl" --model "$OUT/base/sft" \
        --epochs "$epochs" --max-steps 667 --seed "$seed"
    once "$dir/scores.jsonl" score --model "$OUT/$dir/reward" \
        --data "$OUT/$dir/audit.jsonl"
    # The trainer's unit is the deviation of all scores.
    within=$(jq -s 'map(.score) | (add | (add / length) as $m |
        map((. - $m) * (. - $m)) | add / (length - 1)) as $all |
        (map((add / length) as $m | map((. - $m) * (. - $m)) | add) | add)
        / (map(length - 1) | add) / $all | sqrt' "$OUT/$dir/scores.jsonl")
    echo "$within" >"$OUT/$dir/within"
    once "$dir/b$beta/ppo" ppo --model "$OUT/base/sft" \
        --reward-model "$OUT/$dir/reward" \
        --prompts "$OUT/base/prompts.jsonl" --iterations 40 --save-every 5 \
        --trace-every 0 --seed "$seed" \
        --beta "$(awk "BEGIN { print $beta * $within }")"
    once "$dir/b$beta/heldout" eval "$OUT/$dir/b$beta/ppo" --n-prompts 256 \
        --samples 1
    echo "gao: seed $seed, $n prompts, beta $beta" >&2
}

case ${1:-} in
one)
    shift
    # shellcheck disable=SC2086 # a list of words
    one $*
    ;;
*)
    make_base
    # The reward models are made with the first price, each once.
    for beta in 0 0.05 0.2; do
        for seed in 1 2 3; do
            printf '%s\n' "$beta $seed 84 48" "$beta $seed 334 12" \
                "$beta $seed 1334 3"
        done | in_parallel
    done
    "$TOOLS/accept_gao" "$OUT/gao"
    ;;
esac
