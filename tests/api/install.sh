#!/bin/sh
# install.sh SOURCE_DIR BUILD_DIR CC [FLAG...] - what `cmake --install` leaves
# is enough to build the example with pkg-config, and the example says what the
# program says.
set -eu
source=$1
build=$2
shift 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bad=0

holds() {
    if ! "$@" >/dev/null; then
        echo "not so: $*"
        bad=1
    fi
}

prefix=$work/prefix
cmake --install "$build" --prefix "$prefix" >"$work/installed"
for file in bin/plumb include/plumb.h share/man/man1/plumb.1 \
    share/bash-completion/completions/plumb share/zsh/site-functions/_plumb \
    share/fish/vendor_completions.d/plumb.fish share/doc/plumb/LICENSE \
    share/doc/plumb/examples/api.c; do
    holds test -s "$prefix/$file"
done
for command in $("$prefix/bin/plumb" help --json | jq -r '.commands[].name'); do
    holds test -s "$prefix/share/man/man1/plumb-$command.1"
done
pc=$(find "$prefix" -name plumb.pc)
libdir=$(dirname "$(dirname "$pc")")
holds test -s "$libdir/libplumb.a"
holds test -h "$libdir/libplumb.so"
so=$libdir/libplumb.so

# Nothing but what the header promises is to be seen, and all of it.
nm -D --defined-only "$so" | awk '$2 == "T" { sub(/@.*/, "", $3); print $3 }' |
    sort >"$work/exported"
sed -n 's/^PLUMB_API .*\(plumb_[a-z_]*\)(.*/\1/p; s/^\(plumb_[a-z_]*\)(.*/\1/p' \
    "$source/include/plumb.h" | sort >"$work/promised"
holds [ "$(wc -l <"$work/promised")" -ge 25 ]
holds diff "$work/promised" "$work/exported"
nm -D --defined-only "$so" | grep -v ' plumb_[a-z_]*@@PLUMB_0$' >"$work/other" ||
    true
holds [ "$(cat "$work/other")" = "0000000000000000 A PLUMB_0" ]
nm -g --defined-only "$libdir/libplumb.a" 2>/dev/null |
    awk 'NF == 3 { print $3 }' | sort >"$work/archived"
if ! grep -q __asan "$work/archived"; then # sanitizers add names of theirs
    holds diff "$work/promised" "$work/archived"
fi
objdump -p "$so" | awk '$1 == "SONAME" { print $2 }' >"$work/soname"
holds grep -qx 'libplumb\.so\.[0-9]*' "$work/soname"
holds test -e "$libdir/$(cat "$work/soname")"

# The project: tiny, of the installed program.
plumb=$prefix/bin/plumb
cd "$work"
mkdir project
shape='--channels 8 --layers 1 --heads 2 --kv-heads 1 --feed-forward 8'
{
    "$plumb" world tokenizer --out desk
    "$plumb" world demos --demos 96 --out demos.jsonl
    "$plumb" world tickets --split ppo --tickets 16 --out prompts.jsonl
    # shellcheck disable=SC2086 # a list of words
    "$plumb" sft --data demos.jsonl --tokenizer desk $shape --epochs 1 \
        --out project/sft
    "$plumb" generate -m project/sft --prompts prompts.jsonl --samples 4 \
        --max-new 12 --out drawn.jsonl
    "$plumb" world rank --data drawn.jsonl --out rankings.jsonl
    "$plumb" reward --model project/sft --data rankings.jsonl --epochs 1 \
        --holdout 0 --out project/reward
    "$plumb" ppo --model project/sft --reward-model project/reward \
        --prompts prompts.jsonl --iterations 2 --batch 8 --max-new 12 \
        --norm-prompts 8 --out project/ppo
} >"$work/log" 2>&1 || {
    cat "$work/log"
    exit 1
}

PKG_CONFIG_PATH=$(dirname "$pc")
export PKG_CONFIG_PATH
prompt='where is order #Q4?'

# says NAME: build/NAME tells the program's replies, scores and verdict.
says() {
    LD_LIBRARY_PATH=$libdir "./$1" project "$prompt" >"$1.out"
    "$plumb" generate -m project --prompt "$prompt" --samples 4 --json |
        jq -r '.samples[].text' >wanted
    head -4 "$1.out" | sed 's/^ *[-0-9.]*  //' >got
    holds diff wanted got
    "$plumb" generate -m project --prompt "$prompt" --samples 4 --json |
        jq -c --arg p "$prompt" '{id: "x", prompt: $p,
            responses: [.samples[].text], finish: [.samples[].finish]}' >pairs
    "$plumb" score -m project --data pairs --json |
        jq -r '.score[] * 10000 | round' >wanted
    head -4 "$1.out" | awk '{ printf "%.0f\n", $1 * 10000 }' | sed 's/^-0$/0/' >got
    holds diff wanted got
    verdict=$("$plumb" diagnose project --json --out diagnosis.json |
        jq -r '"verdict: \(.verdict), first explanation: \(.rivals[0].id)"')
    holds [ "$(tail -1 "$1.out")" = "$verdict" ]
}

# The tour stays a tour.
holds [ "$(wc -l <"$source/examples/api.c")" -le 60 ]
# shellcheck disable=SC2046 # a list of words
"$@" -Wall -Wextra -Werror "$source/examples/api.c" \
    $(pkg-config --cflags --libs plumb) -o dynamic
says dynamic
# shellcheck disable=SC2046 # a list of words
"$@" "$source/examples/api.c" $(pkg-config --cflags plumb) \
    "$libdir/libplumb.a" $(pkg-config --static --libs-only-l plumb |
        sed 's/-lplumb//') -o static
says static
holds sh -c '! ldd static | grep -q libplumb'

# A failure is the program's: status and words.
code=0
LD_LIBRARY_PATH=$libdir ./dynamic nowhere x >out 2>errors || code=$?
holds [ $code -eq 5 ]
holds grep -q 'nowhere' errors

# A staged installation names the prefix, not the stage, and lacks nothing.
DESTDIR=$work/stage cmake --install "$build" --prefix /opt/plumb >/dev/null
staged=$(find "$work/stage" -name plumb.pc)
holds grep -qx 'prefix=/opt/plumb' "$staged"
(cd "$prefix" && find . | sort) >wanted
(cd "$work/stage/opt/plumb" && find . | sort) >got
holds diff wanted got

# What was installed can be taken away, and nothing else.
touch "$work/stage/opt/plumb/bin/other" "$work/stage/opt/plumb/share/doc/plumb/own"
cmake -DBUILD="$build" -DPREFIX=/opt/plumb -DDESTDIR="$work/stage" \
    -P "$source/cmake/uninstall.cmake" >/dev/null
(cd "$work/stage/opt/plumb" && find . ! -type d | sort | tr '\n' ' ') >got
holds [ "$(cat got)" = './bin/other ./share/doc/plumb/own ' ]
exit $bad
