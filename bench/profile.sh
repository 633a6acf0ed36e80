#!/bin/sh
# profile.sh [BUILD] [demo|smol] - where the time of a PPO iteration goes, in
# float and, where the processor multiplies them, in bfloat16: phases, and
# matrix products against oneDNN's peak of the same run (profile_ppo.c).
#
# Model and settings are those of a row of run.sh: ppo-demo, or ppo-f32, whose
# files must be there from that row.
#
#   THREADS     one a processor
#   ITERATIONS  of which the first does not count: 16, of smol 2
set -eu

here=$(cd "$(dirname "$0")" && pwd)
cd "$here/.."
build=${1:-build/release}
work=build/bench
mkdir -p "$work"
run=$(mktemp -d "${TMPDIR:-/tmp}/plumb-bench.XXXXXX")
trap 'rm -rf "$run"' EXIT
trap 'exit 130' INT TERM

all=f32
if grep -qwE 'avx512_bf16|amx_bf16' /proc/cpuinfo; then
    all="f32 bf16"
fi
# The workload's options.
case ${2:-demo} in
demo)
    bench/demo.sh "$build/plumb" "$work/demo"
    name="the demo's model"
    set -- --model "$work/demo/sft" --reward-model "$work/demo/reward" \
        --prompts "$work/demo/world/ppo_prompts.jsonl" --batch 64 \
        --max-new 96 --iterations "${ITERATIONS:-16}"
    ;;
smol)
    [ -d "$work/rm" ] || {
        echo "profile.sh: no $work/rm; ROWS=ppo-f32 bench/run.sh makes it" >&2
        exit 1
    }
    name="SmolLM2-135M"
    set -- --model "$work/smol" --reward-model "$work/rm" \
        --prompts "$work/prompts.jsonl" --chat none --batch 32 --max-new 48 \
        --shards 2 --lr 1e-5 --lr-value 1e-5 --iterations "${ITERATIONS:-2}"
    ;;
*)
    echo "usage: profile.sh [BUILD] [demo|smol]" >&2
    exit 2
    ;;
esac

for formats in $all; do
    echo "== PPO iteration of $name, --compute $formats"
    "$build/bench/profile_ppo" ppo --quiet "$@" --epochs 2 --minibatches 2 \
        --score-norm none --save-every 0 --compute "$formats" \
        --threads "${THREADS:-$(nproc)}" --out "$run/$formats"
done
