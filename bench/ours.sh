#!/bin/sh
# ours.sh - Plumb's side of a row of `make bench`, told as bench/versus.c reads
# it: a time from the run's own timing.jsonl, in which the start is not, or that
# of a whole command.
#
#     ours.sh steps FORMATS SKIP plumb STAGE OPTION ...
#         the median of the seconds from one row of timing.jsonl to the next,
#         from row SKIP on, what came before being left out; the run goes to a
#         folder of its own
#     ours.sh all FORMATS plumb STAGE OPTION ...
#         the seconds of all rows of timing.jsonl together
#     ours.sh whole FORMATS COMMAND ...
#         seconds from start to end
set -eu

now() {
    date +%s.%N
}

# The command, into a folder of its own: $run/run.
run_stage() {
    run=$(mktemp -d "${TMPDIR:-/tmp}/plumb-bench.XXXXXX")
    trap 'rm -rf "$run"' EXIT
    trap 'exit 1' HUP INT TERM
    "$@" --quiet --out "$run/run" >&2
    echo "formats $formats"
}

case ${1:-} in
steps)
    formats=$2 skip=$3
    shift 3
    run_stage "$@"
    sed 's/.*"time":\([0-9.e+]*\).*/\1/' "$run/run/timing.jsonl" |
        awk -v skip="$skip" 'NR > skip { print $1 - before } { before = $1 }' |
        sort -g | awk '{ x[NR] = $1 } END { printf "seconds %.6f\n",
            (x[int((NR + 1) / 2)] + x[int(NR / 2) + 1]) / 2 }'
    ;;
all)
    formats=$2
    shift 2
    run_stage "$@"
    sed 's/.*"seconds":\([0-9.e+]*\).*/\1/' "$run/run/timing.jsonl" |
        awk '{ sum += $1 } END { printf "seconds %.6f\n", sum }'
    ;;
whole)
    formats=$2
    shift 2
    begin=$(now)
    "$@" >/dev/null
    end=$(now)
    echo "formats $formats"
    echo "$begin $end" | awk '{ printf "seconds %.3f\n", $2 - $1 }'
    ;;
*)
    echo "usage: ours.sh steps|all|whole FORMATS ...; see its head" >&2
    exit 2
    ;;
esac
