#!/bin/sh
# tidy.sh BUILD_DIR JOBS [FILE...] - clang-tidy over the sources that the
# build compiles, or over the files given.  Every finding is an error
# (.clang-tidy); without one it is silent.
set -eu
build=$1
jobs=$2
shift 2
# shellcheck disable=SC2046 # a list of words
[ $# -gt 0 ] || set -- $(git ls-files 'src/*.c' | while read -r file; do
    grep -qF "$file" "$build/compile_commands.json" && echo "$file"
done)
# What it says of a file in order is only how much it left out.
# shellcheck disable=SC2016 # for the inner shell
printf '%s\n' "$@" |
    xargs -P "$jobs" -n 1 sh -c '
        said=$(clang-tidy -p "$0" --quiet \
            --extra-arg=-Wno-unknown-warning-option "$1" 2>&1) ||
            { printf "%s\n" "$said"; exit 1; }' "$build"
