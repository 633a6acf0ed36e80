#!/bin/sh
# fuzz.sh [SECONDS] - build the fuzzers and run each for a while on a copy of
# its corpus.
set -eu
seconds=${1:-60}
cmake --preset fuzz --log-level=WARNING >/dev/null
cmake --build --preset fuzz -j "$(nproc)"
for fuzzer in build/fuzz/tests/fuzz/fuzz_*; do
    [ -f "$fuzzer" ] && [ -x "$fuzzer" ] || continue
    name=$(basename "$fuzzer")
    work=build/fuzz/corpus/$name
    mkdir -p "$work"
    echo "$name for $seconds s"
    xargs -d '\n' -a "$fuzzer.folders" "$fuzzer" \
        -max_total_time="$seconds" -print_final_stats=0 "$work"
done
