#!/bin/sh
# run.sh BUILD [JSON [WHY]] - ranks, measured.  BUILD is of the preset mpi.  With
# WHY nothing is, and its rows say why; then any BUILD will do.
#
# 1. Two ranks of one thread against one rank of two threads, on this machine:
#    an SFT and PPO of the demo's model (versus.c; target 0.9).
# 2. Two hosts in network namespaces, over wires of several rates and delays:
#    what messages cost, an update as measured and as the model (scaling.c)
#    predicts it from that.  Skipped where namespaces are not permitted.
# 3. The model's efficiency to 1,024 ranks, in f32 and in bf16: an
#    extrapolation.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd)
plumb=$build/plumb
bench=$build/bench
json=${2:+--json $2}
pairs=${PAIRS:+--pairs $PAIRS}
against='1 rank x 2 threads'
sft_row="SFT, demo's model, 2 ranks"
ppo_row="PPO iteration, demo's model, 2 ranks"

# A row without ratios: ranks_absent NAME WHY
ranks_absent() {
    # shellcheck disable=SC2086 # a list of words
    "$bench/versus" --name "$1" --against "$against" $json --absent "$2"
}

if [ -n "${3:-}" ]; then
    ranks_absent "$sft_row" "$3"
    ranks_absent "$ppo_row" "$3"
    exit 0
fi
work=$(mktemp -d)
hosts_down() { :; }
trap 'hosts_down; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
cd "$work"
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
if ! command -v mpirun >/dev/null; then
    echo "there is no mpirun (tools/setup.sh mpi): nothing is measured"
    exit 0
fi

quietly() { "$plumb" "$@" --quiet >/dev/null; }
prepare() {
    "$plumb" world tokenizer --out desk >/dev/null &&
        quietly world demos --demos 2000 --out demos.jsonl &&
        quietly world tickets --split ranking --tickets 64 \
            --out ranked.jsonl &&
        quietly world tickets --split ppo --tickets 256 --out prompts.jsonl &&
        quietly sft --data demos.jsonl --tokenizer desk --epochs 2 --out sft &&
        quietly generate -m sft --prompts ranked.jsonl --samples 4 \
            --out candidates.jsonl &&
        quietly world rank --data candidates.jsonl --out rankings.jsonl &&
        quietly reward --data rankings.jsonl --model sft --epochs 1 \
            --out reward
}
prepare || {
    ranks_absent "$sft_row" "its model cannot be made; see above"
    ranks_absent "$ppo_row" "its models cannot be made; see above"
    exit 1
}

# ranks_row NAME COMMAND ... : two ranks of one thread and one of two in turn;
# a row without ratios where one of them fails.
ranks_row() {
    name=$1 status=0
    shift
    # shellcheck disable=SC2086 # lists of words
    "$bench/versus" --name "$name" --against "$against" --target 0.9 $json \
        $pairs -- sh "$here/timed.sh" a $two "$@" --threads 1 --out a -- \
        sh "$here/timed.sh" b "$plumb" "$@" --threads 2 --out b || status=$?
    case $status in
    0 | 3) ;; # measured, or too noisy, which the row says
    *) ranks_absent "$name" "a program failed; see above" ;;
    esac
}

echo "== 2 ranks x 1 thread against 1 rank x 2 threads"
two="mpirun -n 2 --bind-to none $plumb"
ranks_row "$sft_row" sft --data demos.jsonl --model sft \
    --epochs 1 --log-every 1 --quiet
ranks_row "$ppo_row" ppo --model sft \
    --reward-model reward --prompts prompts.jsonl --iterations 8 --batch 64 \
    --norm-prompts 64 --quiet

wire=$bench/wire
. "$here/hosts.sh"
if ! hosts_permitted; then
    echo "network namespaces are not permitted here: two hosts are not measured"
    exit 0
fi

# A model of which an update's gradients are more than its work: 10 million
# parameters, 16 records.
head -n 176 demos.jsonl >few.jsonl # 11 updates
head -n 88 demos.jsonl >half.jsonl
set -- sft --data few.jsonl --tokenizer desk --channels 384 --layers 6 \
    --heads 6 --kv-heads 6 --feed-forward 1024 --epochs 1 --batch 16 \
    --holdout 0 --shards 2 --threads 1 --log-every 1 --quiet
value() { awk -v key="$1" '$1 == key { print $2 }' "$2"; }

echo "== two hosts: an update of 10 million parameters, medians"
# The work of a rank: half of the records in one shard, and somebody at the same
# work on the other processor.
measure_work() {
    sh "$here/timed.sh" other "$plumb" "$@" --data half.jsonl --shards 1 \
        --batch 8 --out other >/dev/null &
    other=$!
    sh "$here/timed.sh" one "$plumb" "$@" --data half.jsonl --shards 1 \
        --batch 8 --out one >work
    wait $other
    value step work
}
# The middle one of three, since the machine may be somebody else's as well.
middle_work() {
    for _ in 1 2 3; do
        measure_work "$@"
    done | sort -g | sed -n 2p
}
measure_work "$@" >/dev/null
newest=$(find one/checkpoints -mindepth 1 -maxdepth 1 | tail -n 1)
parameters=$("$plumb" inspect "$newest" --json |
    sed -n 's/.*"parameters": *\([0-9]*\).*/\1/p' | head -n 1)
echo "$parameters parameters"
echo "| wire | alpha | beta | a rank's work | measured | predicted | off by |"
echo "|---|---|---|---|---|---|---|"
for link in 'none 0' '1gbit 0' '1gbit 200' '1gbit 1000' '200mbit 0'; do
    hosts_up ${link% *} ${link#* }
    hosts_run "$bench/bench_comm" >messages
    compute=$(middle_work "$@")
    sh "$here/timed.sh" pair env hosts_dir="$hosts_dir" sh -c '
        . "$0"; hosts_a=$1; hosts_dir=$2; shift 2; hosts_run "$@"' \
        "$here/hosts.sh" "$hosts_a" "$hosts_dir" "$plumb" "$@" --out pair \
        >measured
    hosts_down
    "$bench/scaling" parameters="$parameters" ranks=2 compute="$compute" \
        alpha="$(value alpha messages)" beta="$(value beta messages)" \
        overhead="$(value overhead messages)" \
        meeting="$(value meeting messages)" >predicted
    awk -v link="$link" -v a="$(value alpha messages)" \
        -v b="$(value beta messages)" -v m="$(value step measured)" \
        -v p="$(value seconds predicted)" -v c="$compute" 'BEGIN {
            split(link, l, " ")
            printf "| %s, %s us | %.0f us | %.3g ns/byte |", l[1], l[2],
                a * 1e6, b * 1e9
            printf " %.3f s | %.3f s | %.3f s | %+.0f%% |\n", c, m, p,
                100 * (p - m) / m }'
done

# A core's rate in that update; hosts of 32 such cores are assumed.
tokens=$(awk -F'"batch/tokens":' '{ split($2, t, ","); s += t[1] } END {
    print s / NR }' one/metrics.jsonl)
flops=$(awk -v p="$parameters" -v t="$tokens" -v s="$compute" \
    'BEGIN { print 32 * 6 * p * t / s }')
echo "== EXTRAPOLATION: beyond two hosts nothing was measured"
echo "a rank of 32 cores, $flops operations a second in f32, and in bf16 an"
echo "assumed 2.9 times as many; 16384 tokens a rank and update (weak scaling)."
echo "Beside every figure: +- 25 % of the update, as off as the rows above"
for net in 'the last wire above' '10 Gbit/s, 50 us' '100 Gbit/s, 10 us'; do
    alpha=$(value alpha messages)
    beta=$(value beta messages)
    case $net in
    10\ *) alpha=50e-6 beta=0.8e-9 ;;
    100*) alpha=10e-6 beta=0.08e-9 ;;
    esac
    for speed in 'f32 1' 'bf16 2.9'; do
        echo "-- $net, ${speed% *}"
        "$bench/scaling" table tokens=16384 alpha="$alpha" beta="$beta" \
            flops="$(awk "BEGIN { print $flops * ${speed#* } }")" \
            overhead=1e-6 meeting="$alpha"
    done
done
