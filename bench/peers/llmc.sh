#!/bin/sh
# llmc.sh - llm.c's CPU program for `make bench`, built from one commit, and
# its path on standard output.
#
#     bench/peers/llmc.sh FOLDER
#
# LLMC names a clone of the repository (bare or not) where it cannot be fetched.
# Exit 5: it cannot be had.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
folder=${1:?usage: llmc.sh FOLDER}
commit=f1e2ace651495b74ae22d45d1723443fd00ecd3a
source=${LLMC:-https://github.com/karpathy/llm.c}
program=$folder/llm.c-$commit/peer_llmc

if [ ! -x "$program" ]; then
    {
        rm -rf "$folder/llm.c" "$folder/llm.c-$commit" &&
            mkdir -p "$folder/llm.c-$commit" &&
            git clone --quiet --no-checkout "$source" "$folder/llm.c" &&
            git -C "$folder/llm.c" archive "$commit" train_gpt2.c llmc |
            tar -x -C "$folder/llm.c-$commit" &&
            # The flags of its Makefile.
            gcc -Ofast -Wno-unused-result -Wno-ignored-pragmas \
                -Wno-unknown-attributes -march=native -fopenmp -DOMP \
                -I "$folder/llm.c-$commit" "$here/peer_llmc.c" -lm -lgomp \
                -o "$program"
    } >&2 || {
        echo "llmc.sh: llm.c cannot be had" >&2
        exit 5
    }
fi
echo "$program"
