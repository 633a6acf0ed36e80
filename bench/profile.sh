#!/bin/sh
# profile.sh [BUILD] - where the time of a PPO iteration of the demo's model
# goes, in float and, where the processor multiplies them, in bfloat16: phases,
# and matrix products against oneDNN's peak of the same run (profile_ppo.c).
#
# The settings are those of the row ppo-demo of run.sh.
#
#   THREADS     one a processor
#   ITERATIONS  16, of which the first does not count
set -eu

here=$(cd "$(dirname "$0")" && pwd)
cd "$here/.."
build=${1:-build/release}
work=build/bench
mkdir -p "$work"
bench/demo.sh "$build/plumb" "$work/demo"
run=$(mktemp -d "${TMPDIR:-/tmp}/plumb-bench.XXXXXX")
trap 'rm -rf "$run"' EXIT
trap 'exit 130' INT TERM

all=f32
if grep -qwE 'avx512_bf16|amx_bf16' /proc/cpuinfo; then
    all="f32 bf16"
fi
for formats in $all; do
    echo "== PPO iteration of the demo's model, --compute $formats"
    "$build/bench/profile_ppo" ppo --quiet --model "$work/demo/sft" \
        --reward-model "$work/demo/reward" \
        --prompts "$work/demo/world/ppo_prompts.jsonl" \
        --iterations "${ITERATIONS:-16}" --batch 64 --max-new 96 --epochs 2 \
        --minibatches 2 --score-norm none --save-every 0 \
        --compute "$formats" --threads "${THREADS:-$(nproc)}" \
        --out "$run/$formats"
done
