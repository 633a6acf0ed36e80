#!/bin/sh
# counts.sh BUILD SOURCE [--update] - do kernels, a training step, sampling and
# the reading of traces take as many instructions as they did?
#
# Counted by valgrind's callgrind, on one thread, so that neither the machine's
# load nor its clock matters.  It shows programs a processor with AVX2 and
# without AVX-512: what is guarded is the path for such.  More than 5 % above
# the bound in counts.txt fails; --update prints the file as it is now, to be
# kept when a change is meant.  Libraries count too: bounds are those of
# Debian 12, and elsewhere the test is skipped.
set -eu

build=$1 source=$2 update=${3:-}
bounds=$source/tests/count/counts.txt
command -v valgrind >/dev/null || {
    echo "valgrind is not there: instructions are not counted"
    exit 77
}
grep -q '^12' /etc/debian_version 2>/dev/null || {
    echo "not Debian 12: other libraries take other instructions"
    exit 77
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
cd "$work"

# count NAME COMMAND ...: instructions into $work/NAME.count
count() {
    name=$1
    shift
    valgrind --tool=callgrind --callgrind-out-file="$name.out" $toggle "$@" \
        >"$name.log" 2>&1 || {
        head -5 "$name.log"
        echo "$name: valgrind cannot run it"
        exit 1
    }
    sed -n 's/.*Collected : \([0-9]*\).*/\1/p' "$name.log" >"$name.count"
}

toggle=--toggle-collect=counted
for kernel in rmsnorm swiglu adamw; do
    count "$kernel" "$build/tests/count/count_kernels" "$kernel"
    grep -q '^level v3' "$kernel.log" || {
        echo "no AVX2 under valgrind here: nothing to compare with"
        exit 77
    }
done
toggle=

i=1
while [ $i -le 8 ]; do
    echo '{"prompt":"hi, the blender from order #R'$i' came damaged 05 days ago. thanks.","response":"dear customer, we can repair the blender from order #R'$i' in our workshop."}'
    i=$((i + 1))
done >demos.jsonl
"$build/plumb" world tokenizer --out desk >/dev/null
tiny="--channels 64 --layers 2 --heads 2 --kv-heads 2"
# shellcheck disable=SC2086 # a list of words
count step "$build/plumb" sft --quiet --threads 1 --shards 1 \
    --data demos.jsonl --tokenizer desk $tiny \
    --batch 8 --epochs 3 --out sft
count sample "$build/plumb" generate --threads 1 --quiet --model sft \
    --prompt "hi, the blender from order #R8 came damaged." --samples 8 --max-new 32
"$build/bench/make_traces" run 1 64 32
count traces "$build/plumb" diagnose run --threads 1 --resamples 100 --out d.json

failed=
for file in *.count; do
    name=${file%.count}
    now=$(cat "$file")
    [ -z "$update" ] || {
        echo "$name $now"
        continue
    }
    bound=$(sed -n "s/^$name \([0-9]*\)$/\1/p" "$bounds")
    share=$((now * 1000 / bound))
    echo "$name: $now instructions, $((share / 10)).$((share % 10)) % of $bound"
    [ "$share" -le 1050 ] || failed="$failed $name"
done
[ -z "$failed" ] || {
    echo "more than 5 % above the bound:$failed"
    exit 1
}
