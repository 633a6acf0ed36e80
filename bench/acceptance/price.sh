#!/bin/sh
# price.sh - reward is bought at beta a nat, by PPO on a language model: one
# reward model of careful raters, eight prices, each trained until it rests.
# accept_price.c says what is asked of neighbours.
here=$(cd "$(dirname "$0")" && pwd)
. "$here/common.sh"
betas='0.02 0.05 0.1 0.2 0.35 0.5 0.7 1'

# one BETA
one() {
    once "price/b$1/ppo" ppo --model "$OUT/base/sft" \
        --reward-model "$OUT/price/reward" \
        --prompts "$OUT/base/prompts.jsonl" --iterations 80 --save-every 20 \
        --trace-every 0 --beta "$1"
    once "price/b$1/heldout" eval "$OUT/price/b$1/ppo" --n-prompts 256 --samples 4
    echo "price: beta $1" >&2
}

case ${1:-} in
one)
    one "$2"
    ;;
*)
    make_base
    mkdir -p "$OUT/price"
    head -n 4200 "$OUT/base/candidates.jsonl" >"$OUT/price/candidates.jsonl"
    once price/rankings.jsonl world rank --data "$OUT/price/candidates.jsonl" \
        --hurried 0
    once price/reward reward --data "$OUT/price/rankings.jsonl" \
        --model "$OUT/base/sft"
    for beta in $betas; do
        echo "$beta"
    done | in_parallel
    # shellcheck disable=SC2086 # a list of words
    "$TOOLS/accept_price" "$OUT/price" $betas
    ;;
esac
