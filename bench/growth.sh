#!/bin/sh
# growth.sh [BUILD] - how time and memory grow with tokens, batch, width,
# prompts x samples and traces, each over a range of sizes: build/growth.json
# and build/growth-*.svg (bench/growth.c; docs/benchmarks.md).
#
# Seconds on one processor, not of the clock, so that other programs disturb
# little.  Training and sampling are told as the difference of a longer and a
# shorter run, which leaves out what starting costs.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
cd "$here/.."
build=$PWD/${1:-build/release}
plumb=$build/plumb
cost=$build/bench/cost
work=$PWD/build/bench/growth
rm -rf "$work"
mkdir -p "$work"
cd "$work"
"$plumb" world tokenizer --out desk >/dev/null

# demos ROWS WORDS: so many demonstrations, each of so many tokens more or less
demos() {
    awk -v rows="$1" -v words="$2" 'BEGIN {
        n = split("we can repair the blender from order in our workshop", w, " ")
        for (i = 1; i <= rows; i++) {
            printf "{\"prompt\":\"hi, order #R%d.\",\"response\":\"",
                i % 9 + 1
            for (t = 0; t < words - 16; t++)
                printf "%s%s", t ? " " : "", w[(i * 7 + t * 3) % n + 1]
            print "\"}"
        }
    }'
}

# cost_of COMMAND ...: "SECONDS MIB"
cost_of() {
    "$cost" "$@" 2>/dev/null | tail -1
}

# train CHANNELS BATCH TOKENS: "SECONDS MIB" of a step
train() {
    rows=$(($2 * 2))
    demos "$rows" "$3" >demos.jsonl
    for epochs in 1 4; do
        rm -rf sft
        cost_of "$plumb" sft --quiet --threads 1 --shards 1 --save-every 0 \
            --data demos.jsonl --tokenizer desk --channels "$1" --layers 2 \
            --heads "$(($1 / 64))" --kv-heads "$(($1 / 64))" \
            --feed-forward "$(($1 * 3))" --positions "$(($3 * 2))" \
            --max-tokens "$(($3 * 2))" --batch "$2" --epochs "$epochs" --out sft
    done | awk '{ t[NR] = $1; m = $2 } END { print (t[2] - t[1]) / 6, m }'
}

# operations CHANNELS BATCH TOKENS, of a step: products of weights and tokens,
# and attention, whose products are half of TOKENS x TOKENS
operations() {
    awk -v C="$1" -v B="$2" -v T="$3" 'BEGIN {
        L = 2; F = 3 * C; V = 413; N = L * (4 * C * C + 3 * C * F) + V * C
        print 6 * N * B * T + 6 * L * B * T * T * C + 40 * N }'
}

# A point: the curve's name, unit, size, cost, theory, the power of memory.
training() {
    echo "$1 $2 $3 $(train "$4" "$5" "$6") $(operations "$4" "$5" "$6") $7"
}

points() {
    for T in 128 256 512 1024 2048; do
        training tokens tokens_of_a_sequence $T 128 2 $T 1
    done
    for B in 4 8 16 32 64; do
        training batch sequences_of_a_step $B 128 $B 128 1
    done
    for C in 64 128 256 512; do
        training width channels $C $C 8 128 2
    done
    demos 16 48 >demos.jsonl
    rm -rf sft
    "$plumb" sft --quiet --threads 1 --data demos.jsonl --tokenizer desk \
        --channels 128 --positions 512 --batch 16 --epochs 1 --out sft >&2
    for n in 32 64 128 256; do
        awk -v n=$((n / 8)) 'BEGIN { for (i = 0; i < n; i++)
            printf "{\"prompt\":\"hi, order #R%d.\"}\n", i % 9 + 1 }' \
            >prompts.jsonl
        for new in 4 260; do
            cost_of "$plumb" generate --quiet --threads 1 --model sft \
                --prompts prompts.jsonl --samples 8 --max-new "$new"
        done | awk -v n="$n" '{ t[NR] = $1; m = $2 } END {
            print "samples", "prompts_x_samples", n, t[2] - t[1], m, n, 1 }'
    done
    for mb in 10 20 40 80 160; do
        rm -rf run
        "$build/bench/make_traces" run "$mb"
        echo "traces MB_of_traces $mb $(cost_of "$plumb" diagnose run \
            --threads 1 --out d.json) $mb 1"
    done
}

points >list
cat list >&2
"$build/bench/growth" ../.. <list
