#!/bin/sh
# tidy.sh BUILD_DIR JOBS [FILE...] - clang-tidy over the sources that the
# build compiles, or over the files given.
set -eu
build=$1
jobs=$2
shift 2
[ $# -gt 0 ] || set -- $(git ls-files 'src/*.c')
printf '%s\n' "$@" |
    xargs -P "$jobs" -n 1 clang-tidy -p "$build" --quiet \
        --extra-arg=-Wno-unknown-warning-option
