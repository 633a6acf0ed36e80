#!/bin/sh
# run.sh - every row of `make bench`: Plumb and another program in turn, as a
# ratio (bench/versus.c), into build/bench.json; docs/benchmarks.md tells how to
# read and repeat them.
#
#     bench/run.sh [BUILD]      build/release without
#
#   ROWS     rows to measure, by the names below; all without
#   PAIRS    pairs of runs a row (5)
#   PEERS    a virtual environment with bench/peers/requirements.txt, where one
#            is there; else one is made in build/peers
#   THREADS  of both sides (one a processor)
#   HH       Anthropic's helpful-base as .jsonl.gz; without, invented pairs
#   LLMC     a clone of llm.c, where it cannot be fetched
#   MB       megabytes of traces to diagnose (1000)
#   MPI      a build of the preset mpi (build/mpi)
#
# A row that cannot be measured is there too, without ratios and with the
# reason.  With ROWS the file's other rows stay, and those measured again take
# their places; without, it begins anew.  Its table comes at the end, however
# that comes.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
cd "$here/.."
build=${1:-build/release}
plumb=$build/plumb
work=build/bench
json=build/bench.json
threads=${THREADS:-$(nproc)}
export OMP_NUM_THREADS="$threads"

all='step-llmc step-torch step-limit generate-transformers generate-llama
ppo-f32 ppo-fast ppo-demo reward demo memory-full memory-lora diagnose
diagnose-memory ranks'
rows=${ROWS:-$all}
for row in $rows; do
    echo " $(echo "$all" | tr '\n' ' ') " | grep -q " $row " || {
        echo "run.sh: no row $row; there are: $all" >&2
        exit 2
    }
done

# bf16 where the processor multiplies it, on both sides.
fast=f32
if grep -qwE 'avx512_bf16|amx_bf16' /proc/cpuinfo; then
    fast=bf16
fi

# ---- rows -------------------------------------------------------------------

# row NAME AGAINST OPTION ... -- OURS [-- THEIRS]
row() {
    name=$1 against=$2
    shift 2
    status=0
    "$build/bench/versus" --json "$json" --name "$name" --against "$against" \
        --pairs "${PAIRS:-5}" "$@" || status=$?
    case $status in
    0 | 3) ;; # measured, or too noisy, which the row says
    *) absent_all "$name" "$against" "a program failed; see above" "$@" ;;
    esac
}

# absent NAME AGAINST WHY
absent() {
    "$build/bench/versus" --json "$json" --name "$1" --against "$2" --absent "$3"
}

# The same of a row and of those that are further figures of its runs:
# absent_all NAME AGAINST WHY OPTION ...
absent_all() {
    why=$3
    absent "$1" "$2" "$why"
    against=$2
    shift 3
    while [ $# -gt 1 ] && [ "$1" != -- ]; do
        [ "$1" != --also ] || absent "$2" "$against" "$why"
        shift
    done
}

# ---- what they need, made once ----------------------------------------------

# Rows ask for it with "need_x || { absent ...; return; }", and there sh goes on
# behind a command that fails: steps are joined by &&.

python=
why_python=
need_python() {
    [ -z "$python" ] || return 0
    [ -z "$why_python" ] || return 1
    python=$(bench/peers/setup.sh "${PEERS:-build/peers}") && return 0
    why_python="the peers cannot be installed"
    return 1
}

why_smol="SmolLM2-135M cannot be had (tools/get-smollm2.sh)"
need_smol() {
    [ ! -f "$work/smol/model.safetensors" ] || return 0
    # The model last: it is there when all is.
    model=$(tools/get-smollm2.sh) && rm -rf "$work/smol" &&
        "$plumb" export "$model" --type f32 --gguf --out "$work/smol.gguf" \
            >&2 &&
        "$plumb" export "$model" --type f32 --out "$work/smol" >&2
}

why_inputs="prompts and pairs cannot be made; see above"
need_inputs() {
    from="${HH:-invented}"
    [ "$(cat "$work/inputs.from" 2>/dev/null)" != "$from" ] || return 0
    "$python" bench/peers/speed_inputs.py "$work" "$work/smol" ${HH:+"$HH"} \
        >&2 && echo "$from" >"$work/inputs.from"
}

why_reward="SmolLM2's reward model cannot be made; see above"
need_reward() {
    [ ! -f "$work/rm.hf/model.safetensors" ] || return 0
    rm -rf "$work/rm" "$work/rm.hf" &&
        "$plumb" reward --quiet --model "$work/smol" --chat none \
            --max-steps 1 --data "$work/seed_pairs.jsonl" --batch 4 \
            --shards 2 --holdout 0 --out "$work/rm" >&2 &&
        "$plumb" export "$work/rm" --out "$work/rm.hf" >&2
}

why_demo="the demo's models cannot be made; see above"
need_demo() {
    [ ! -f "$work/demo.rm.hf/model.safetensors" ] || return 0
    bench/demo.sh "$plumb" "$work/demo" &&
        rm -rf "$work/demo.hf" "$work/demo.rm.hf" &&
        "$plumb" export "$work/demo/sft" --out "$work/demo.hf" >&2 &&
        "$plumb" export "$work/demo/reward" --out "$work/demo.rm.hf" >&2
}

why_traces="the traces cannot be made; see above"
need_traces() {
    [ "$(cat "$work/traces.mb" 2>/dev/null)" != "${MB:-1000}" ] || return 0
    rm -rf "$work/traces" "$work/traces.mb" &&
        "$build/bench/make_traces" "$work/traces" "${MB:-1000}" >&2 &&
        echo "${MB:-1000}" >"$work/traces.mb"
}

# ---- training step ----------------------------------------------------------

row_step_llmc() {
    name="training step, $fast"
    if program=$(bench/peers/llmc.sh build/peers); then
        row "$name" "llm.c" --target 5.5 -- \
            "$build/bench/bench_step" "$fast" "$threads" 3 -- "$program" 3
    else
        absent "$name" "llm.c" "llm.c cannot be had"
    fi
}

row_step_torch() {
    name="training step, $fast"
    if need_python; then
        row "$name" "PyTorch 2.15.0" --target 1.3 -- \
            "$build/bench/bench_step" "$fast" "$threads" -- \
            "$python" bench/peers/speed_step.py "$fast" "$threads"
    else
        absent "$name" "PyTorch 2.15.0" "$why_python"
    fi
}

row_step_limit() {
    row "training step, share of the limit" "oneDNN's peak and the memory's" \
        --target 0.65 -- "$build/bench/bench_step" "$fast" "$threads" -- \
        "$build/bench/bench_limit" "$fast" "$threads"
}

# ---- sampling ---------------------------------------------------------------

# generate AGAINST TARGET SCRIPT MODEL
generate() {
    name="sampling, 32 prompts x 64 tokens"
    if [ ! -x "$build/bench/bench_generate" ]; then
        absent "$name" "$1" "bench_generate is not built"
    elif ! need_python; then
        absent "$name" "$1" "$why_python"
    elif ! need_smol; then
        absent "$name" "$1" "$why_smol"
    elif ! "$python" -c "import $5" 2>/dev/null; then
        absent "$name" "$1" "$5 cannot be installed"
    else
        row "$name" "$1" --target "$2" -- "$build/bench/bench_generate" \
            --threads "$threads" "$fast" "$work/smol" -- \
            "$python" "bench/peers/$3" "$fast" "$4" "$threads"
    fi
}

row_generate_transformers() {
    generate "transformers 5.24.0" 3 speed_generate.py "$work/smol" transformers
}

row_generate_llama() {
    generate "llama.cpp (0.3.36)" 1 speed_llama.py "$work/smol.gguf" llama_cpp
}

# ---- PPO --------------------------------------------------------------------

# ppo NAME FORMATS OPTION ... ; LORA is the rank of both sides' adapters
ppo() {
    name=$1 formats=$2
    shift 2
    if ! need_python; then
        absent_all "$name" "TRL 1.9.0" "$why_python" "$@"
        return
    elif ! need_smol; then
        absent_all "$name" "TRL 1.9.0" "$why_smol" "$@"
        return
    elif ! need_inputs; then
        absent_all "$name" "TRL 1.9.0" "$why_inputs" "$@"
        return
    elif ! need_reward; then
        absent_all "$name" "TRL 1.9.0" "$why_reward" "$@"
        return
    fi
    row "$name" "TRL 1.9.0" "$@" -- \
        bench/ours.sh all "$formats" "$plumb" ppo --model "$work/smol" \
        --reward-model "$work/rm" --prompts "$work/prompts.jsonl" \
        --chat none --iterations 1 --batch 32 --max-new 48 --epochs 2 \
        --minibatches 2 --shards 2 --score-norm none --save-every 0 \
        --lr 1e-5 --lr-value 1e-5 --lora-rank "$lora" --compute "$formats" \
        --threads "$threads" -- \
        "$python" bench/peers/speed_ppo.py "$formats" "$work/smol" \
        "$work/rm.hf" "$work/prompts.jsonl" 32 48 2 2 --lora "$lora" \
        --threads "$threads" --iterations 1
}

ppo_fast="PPO iteration, SmolLM2-135M, fastest"
memory_full="peak memory of PPO, SmolLM2-135M"

# Is this row one more figure of the runs of ppo-f32?
is_along() {
    case " $(echo "$rows" | tr '\n' ' ') " in
    *" ppo-f32 "*) return 0 ;;
    esac
    return 1
}

row_ppo_f32() {
    lora=0
    also=
    [ "$fast" != f32 ] || also=yes
    ppo "PPO iteration, SmolLM2-135M" f32 --target 4 \
        ${also:+--also "$ppo_fast" seconds 2.5} \
        --also "$memory_full" peak_mib 0.75
}

row_ppo_fast() {
    lora=0
    if [ "$fast" != f32 ] || ! is_along; then
        ppo "$ppo_fast" "$fast" --target 2.5
    fi
}

# Memory hardly differs from run to run.
row_memory_full() {
    lora=0
    is_along || PAIRS=${PAIRS:-1} ppo "$memory_full" f32 --figure peak_mib --less \
        --target 0.75
}

row_memory_lora() {
    lora=16
    PAIRS=${PAIRS:-1} ppo "peak memory of PPO, LoRA 16" f32 --figure peak_mib --less \
        --target 0.5
}

row_ppo_demo() {
    name="PPO iteration, the demo's model"
    if ! need_python; then
        absent "$name" "TRL 1.9.0" "$why_python"
        return
    elif ! need_demo; then
        absent "$name" "TRL 1.9.0" "$why_demo"
        return
    fi
    row "$name" "TRL 1.9.0" --target 15 -- \
        bench/ours.sh steps f32 1 "$plumb" ppo --model "$work/demo/sft" \
        --reward-model "$work/demo/reward" \
        --prompts "$work/demo/world/ppo_prompts.jsonl" --iterations 6 \
        --batch 64 --max-new 96 --epochs 2 --minibatches 2 --score-norm none \
        --save-every 0 --threads "$threads" -- \
        "$python" bench/peers/speed_ppo.py f32 "$work/demo.hf" \
        "$work/demo.rm.hf" "$work/demo/world/ppo_prompts.jsonl" 64 96 2 2 \
        --threads "$threads"
}

# ---- the others -------------------------------------------------------------

row_reward() {
    name="reward model, 64 pairs"
    if ! need_python; then
        absent "$name" "TRL 1.9.0" "$why_python"
        return
    elif ! need_smol; then
        absent "$name" "TRL 1.9.0" "$why_smol"
        return
    elif ! need_inputs; then
        absent "$name" "TRL 1.9.0" "$why_inputs"
        return
    fi
    row "$name ($(cat "$work/pairs.from"))" "TRL 1.9.0" --target 1.5 -- \
        bench/ours.sh all "$fast" "$plumb" reward --model "$work/smol" \
        --data "$work/pairs.jsonl" --chat hh --epochs 1 --batch 8 \
        --log-every 1 --holdout 0 --max-tokens 512 --shards 2 --save-every 0 \
        --compute "$fast" --threads "$threads" -- \
        "$python" bench/peers/speed_reward.py "$fast" "$work/smol" \
        "$work/pairs.jsonl" "$threads"
}

row_demo() {
    row "plumb demo, seconds" "90 s" --absolute --target 90 -- \
        bench/ours.sh whole f32 "$plumb" demo --quiet --overwrite \
        --threads "$threads" --out "$work/demo"
}

row_diagnose() {
    name="diagnosis of ${MB:-1000} MB of traces"
    if ! need_python; then
        absent "$name" "numpy with orjson" "$why_python"
    elif ! need_traces; then
        absent "$name" "numpy with orjson" "$why_traces"
    else
        row "$name" "numpy with orjson" --target 2 -- \
            bench/ours.sh whole "JSON text, f32" "$plumb" diagnose \
            "$work/traces" --threads "$threads" --out "$work/diagnosis.json" \
            -- "$python" bench/peers/speed_diagnose.py "$work/traces" "$threads"
    fi
}

row_diagnose_memory() {
    name="diagnosis, peak memory, MiB"
    if ! need_traces; then
        absent "$name" "500 MiB" "$why_traces"
        return
    fi
    row "$name" "500 MiB" --absolute --target 500 --figure peak_mib -- \
        bench/ours.sh whole "JSON text, f32" "$plumb" diagnose "$work/traces" \
        --threads "$threads" --out "$work/diagnosis.json"
}

# Two ranks against one, then two hosts and the extrapolation in words.
row_ranks() {
    mpi=${MPI:-build/mpi}
    why=
    if ! command -v mpirun >/dev/null; then
        why="there is no mpirun (tools/setup.sh mpi)"
    elif [ ! -x "$mpi/bench/versus" ]; then
        why="no build with MPI (cmake --preset mpi)"
    fi
    [ -z "$why" ] || mpi=$build
    bench/mpi/run.sh "$mpi" "$PWD/$json" ${why:+"$why"} ||
        echo "run.sh: bench/mpi/run.sh failed; see above" >&2
}

mkdir -p "$work"
[ -n "${ROWS:-}" ] || rm -f "$json"
trap 'exit 130' INT TERM
trap '[ ! -f "$json" ] || "$build/bench/versus" --table "$json"' EXIT
for row in $rows; do
    echo "== $row" >&2
    case $row in
    step-llmc) row_step_llmc ;;
    step-torch) row_step_torch ;;
    step-limit) row_step_limit ;;
    generate-transformers) row_generate_transformers ;;
    generate-llama) row_generate_llama ;;
    ppo-f32) row_ppo_f32 ;;
    ppo-fast) row_ppo_fast ;;
    ppo-demo) row_ppo_demo ;;
    reward) row_reward ;;
    demo) row_demo ;;
    memory-full) row_memory_full ;;
    memory-lora) row_memory_lora ;;
    diagnose) row_diagnose ;;
    diagnose-memory) row_diagnose_memory ;;
    ranks) row_ranks ;;
    esac
done
