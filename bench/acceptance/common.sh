# common.sh - sourced by the acceptance programs: stages that are made once, and
# what all of them start from.
#
#     PLUMB  the program         build/release/plumb
#     TOOLS  the analyses        build/release/bench/acceptance
#     OUT    where all of it goes  build/acceptance
#     JOBS   stages at a time, each on one thread; the number of processors
#
# A stage is one command of plumb.  NAME.done holds its arguments: it is not made
# again unless they have changed, and one that was interrupted goes on.  What
# another program made is thrown away.
set -eu

: "${PLUMB:=build/release/plumb}"
: "${TOOLS:=build/release/bench/acceptance}"
: "${OUT:=build/acceptance}"
: "${JOBS:=$(nproc)}"
export PLUMB TOOLS OUT JOBS

# once NAME ARGUMENT...: plumb ARGUMENT... --out OUT/NAME, quietly.
once() {
    name=$1
    shift
    [ "$(cat "$OUT/$name.done" 2>/dev/null)" != "$*" ] || return 0
    mkdir -p "$(dirname "$OUT/$name")"
    if [ "$(cat "$OUT/$name.begun" 2>/dev/null)" != "$*" ]; then
        rm -rf "${OUT:?}/$name" "$OUT/$name.done"
        printf '%s\n' "$*" >"$OUT/$name.begun"
    fi
    case $1 in sft | reward | ppo) set -- "$@" --resume ;; esac
    "$PLUMB" "$@" --out "$OUT/$name" --threads 1 --quiet >"$OUT/$name.log" 2>&1 || {
        cat "$OUT/$name.log" >&2
        return 1
    }
    rm "$OUT/$name.log"
    mv "$OUT/$name.begun" "$OUT/$name.done"
}

# Runs `$0 one LINE` for every line of standard input, JOBS at a time.
in_parallel() {
    xargs -P "$JOBS" -L 1 "$0" one
}

# The support desk, one supervised model, 4,400 prompts with four replies each:
# rows 1 to 4,200 for rankings, the rest to see what a reward model is worth.
make_base() {
    mkdir -p "$OUT"
    sum=$(sha256sum <"$PLUMB")
    if [ "$(cat "$OUT/program" 2>/dev/null)" != "$sum" ]; then
        rm -rf "${OUT:?}"/base "${OUT:?}"/gao "${OUT:?}"/price \
            "${OUT:?}"/length "${OUT:?}"/*.done
        printf '%s\n' "$sum" >"$OUT/program"
    fi
    b=$OUT/base
    once base/desk world tokenizer
    once base/demos.jsonl world demos --demos 12000
    once base/ranked.jsonl world tickets --split ranking --tickets 4400
    once base/prompts.jsonl world tickets --split ppo --tickets 4096
    once base/sft sft --data "$b/demos.jsonl" --tokenizer "$b/desk"
    once base/candidates.jsonl generate --model "$b/sft" \
        --prompts "$b/ranked.jsonl" --samples 4
    tail -n 200 "$b/candidates.jsonl" >"$b/audit.jsonl"
}
