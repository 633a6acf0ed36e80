#!/bin/sh
# Does choosing what people rank help?  A reward model's held-out accuracy by
# the number of prompts ranked, chosen against random (bench_choose.c).
#
#     bench/adaptive.sh [BUILD] [OUT]     SEEDS="1 2 3"  ARMS="random adaptive"
#
# The built-in support desk: 1,200 tickets, four replies each of a model tuned
# on demonstrations, ranked by one rater each; true are 400 tickets of other
# texts, ranked with hardly any noise, equals left out.  The raters are hurried,
# since what they look at is learnt from a few hundred prompts; HURRIED=0 takes
# careful ones, of whom so few teach little.  What is there is not made again.
set -eu

build=${1:-build/release}
out=${2:-build/adaptive}
seeds=${SEEDS:-1 2 3 4 5}
arms=${ARMS:-random adaptive ensemble uncertainty diversity}
hurried=${HURRIED:-1}
plumb=$build/plumb

mkdir -p "$out"
[ -d "$out/desk" ] || "$plumb" world tokenizer --out "$out/desk"
[ -s "$out/demos.jsonl" ] ||
    "$plumb" world demos --demos 4000 --out "$out/demos.jsonl"
[ -s "$out/sft/result.json" ] ||
    "$plumb" sft --data "$out/demos.jsonl" --tokenizer "$out/desk" \
        --epochs 3 --out "$out/sft" --quiet --overwrite

# sets NAME SPLIT TICKETS: four replies to each
sets() {
    [ -s "$out/$1.jsonl" ] && return
    "$plumb" world tickets --split "$2" --tickets "$3" \
        --out "$out/$1-tickets.jsonl"
    "$plumb" generate -m "$out/sft" --prompts "$out/$1-tickets.jsonl" \
        --samples 4 --out "$out/$1.jsonl" --quiet
}
sets pool ranking 1200
sets heldout heldout 400
[ -s "$out/true.jsonl" ] ||
    "$plumb" world rank --data "$out/heldout.jsonl" --rater.hurried "$hurried" \
        --rater.tau 0.001 --rater.tie-margin 20 --out "$out/true.jsonl"

for seed in $seeds; do
    [ -s "$out/rankings-$seed.jsonl" ] ||
        "$plumb" world rank --data "$out/pool.jsonl" --rater.hurried "$hurried" \
            --seed "$seed" --out "$out/rankings-$seed.jsonl"
    for arm in $arms; do
        result=$out/result-$arm-$seed.jsonl
        [ -s "$result" ] && continue
        "$build/bench/bench_choose" "$out/sft" "$out/rankings-$seed.jsonl" \
            "$out/true.jsonl" "$out/work" "$seed" "$arm" >"$result.part"
        mv "$result.part" "$result"
    done
done

# Accuracy in per cent, mean over seeds; behind it, of the difference to random
# with the same seed, mean and standard error.
# shellcheck disable=SC2016
table='def fixed: . * 10 | round / 10 | tostring;
    def mean: add / length;
    def se: mean as $m | (map((. - $m) * (. - $m)) | add) /
        ((length - 1) * length) | sqrt;
    (map(.prompts) | min) as $start
    | . + [group_by([.arm, .seed])[] | {arm: .[0].arm, seed: .[0].seed,
        prompts: "mean of all but the first",
        accuracy: (map(select(.prompts > $start).accuracy) | mean)}]
    | group_by(.prompts)[] | . as $all | .[0].prompts as $n
    | "| \($n) | " + ([$arms[] as $arm
        | [$all[] | select(.arm == $arm)] | sort_by(.seed) | map(100 * .accuracy)
        | . as $x | ($x | mean | fixed) +
          (if $arm == "random" or ($x | length) < 2 then "" else
            ([$all[] | select(.arm == "random")] | sort_by(.seed)
                | map(100 * .accuracy)) as $r
            | [range($x | length) | $x[.] - $r[.]]
            | " (\(mean | fixed) ± \(se | fixed))" end)]
        | join(" | ")) + " |"'
# shellcheck disable=SC2086 # a list of words
set -- $arms
# shellcheck disable=SC2016
list=$(printf '%s\n' "$@" | jq -Rn '[inputs]')
printf '| prompts |'
printf ' %s |' "$@"
printf '\n|---|'
for arm in "$@"; do printf -- '---|'; done
printf '\n'
for arm in "$@"; do
    for seed in $seeds; do cat "$out/result-$arm-$seed.jsonl"; done
done | jq -rs --argjson arms "$list" "$table"
