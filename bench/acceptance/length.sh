#!/bin/sh
# length.sh - how far a reward of length alone gets (Singhal et al. 2023, in
# small).
#
# Annotators like length as much as makes the longer reply win 56, 60 and 63 %
# of the pairs.  Policies are trained on reward models of their labels, and on
# 1 - |tokens / 50 - 1|, 50 being half as long again as the supervised model's
# replies (there: 1.2 to 2.0 times); the price of a nat is 0.04; three seeds.
# accept_length.c says what is asked of the two.
here=$(cd "$(dirname "$0")" && pwd)
. "$here/common.sh"
target=50

# train NAME SEED: a policy on OUT/NAME/reward, compared with its reference.
train() {
    once "$1/ppo" ppo --model "$OUT/base/sft" --reward-model "$OUT/$1/reward" \
        --prompts "$OUT/base/prompts.jsonl" --save-every 0 --trace-every 0 \
        --beta 0.04 --seed "$2"
    once "$1/heldout" eval "$OUT/$1/ppo" --n-prompts 256 --samples 4 --no-curve
    echo "length: $1" >&2
}

# one SEED SHARE: of wins of the longer reply; "only": the reward of length.
one() {
    dir=length/s$1-$2
    if [ "$2" = only ]; then
        # Nothing is learnt, the data are only asked for.
        once "$dir/reward" reward --data "$OUT/length/rankings.jsonl" \
            --model "$OUT/base/sft" --length-only "$target"
    else
        once "$dir/rankings.jsonl" world rank \
            --data "$OUT/length/candidates.jsonl" --hurried 1 --gold-share 1 \
            --polite-taste 0 --length-taste "$(cat "$OUT/length/taste-$2")" \
            --seed "$1"
        once "$dir/reward" reward --data "$OUT/$dir/rankings.jsonl" \
            --model "$OUT/base/sft" --seed "$1"
    fi
    train "$dir" "$1"
}

case ${1:-} in
one)
    shift
    # shellcheck disable=SC2086 # a list of words
    one $*
    ;;
*)
    make_base
    mkdir -p "$OUT/length"
    head -n 4200 "$OUT/base/candidates.jsonl" >"$OUT/length/candidates.jsonl"
    once length/judged.jsonl world judge --data "$OUT/length/candidates.jsonl"
    for share in 56 60 63; do
        "$TOOLS/accept_length" taste "$OUT/length/judged.jsonl" "0.$share" \
            >"$OUT/length/taste-$share"
    done
    once length/rankings.jsonl world rank \
        --data "$OUT/length/candidates.jsonl" --hurried 0
    for seed in 1 2 3; do
        for what in 56 60 63 only; do
            echo "$seed $what"
        done
    done | in_parallel
    "$TOOLS/accept_length" report "$OUT/length"
    ;;
esac
