#!/bin/sh
# ours.sh - Plumb's side of a row of `make bench`, told as bench/versus.c reads
# it: a steady-state time from the run's own timing.jsonl (the first iteration
# or epoch, and with it the start, is left out) or the time of a whole command.
#
#     ours.sh steps FORMATS SKIP plumb STAGE OPTION ...
#         the median of the seconds from one row of timing.jsonl to the next,
#         after the first SKIP rows; the run goes to a folder of its own
#     ours.sh whole FORMATS COMMAND ...
#         seconds from start to end
set -eu

now() {
    date +%s.%N
}

case ${1:-} in
steps)
    formats=$2 skip=$3
    shift 3
    run=$(mktemp -d "${TMPDIR:-/tmp}/plumb-bench.XXXXXX")
    trap 'rm -rf "$run"' EXIT
    trap 'exit 1' HUP INT TERM
    "$@" --quiet --out "$run/run" >&2
    echo "formats $formats"
    [ ! -d "$run/run/rollouts" ] ||
        for file in "$run"/run/rollouts/*; do zstd -dc "$file"; done |
        jq -s '"tokens \([.[].tokens | length] | add / length)"' -r
    jq -s -r --argjson skip "$skip" '[.[$skip - 1:] | [.[1:], .[:-1]]
        | transpose[] | .[0].time - .[1].time] | sort
        | "seconds \((.[(length - 1) / 2 | floor] + .[length / 2 | floor]) / 2)"
        ' "$run/run/timing.jsonl"
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
    echo "usage: ours.sh steps|whole FORMATS ...; see its head" >&2
    exit 2
    ;;
esac
