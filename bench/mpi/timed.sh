#!/bin/sh
# timed.sh DIR COMMAND... - run a training command that writes DIR; the seconds of
# its steps after the first, from timing.jsonl (versus.c), and their median.
dir=$1
shift
rm -rf "$dir"
"$@" >/dev/null 2>"$dir.log" || { cat "$dir.log" >&2; exit 1; }
awk -F'"seconds":' 'NR > 1 { split($2, s, ","); print s[1] }' \
    "$dir/timing.jsonl" | sort -g | awk '{ sum += $1; t[NR] = $1 }
    END { print "seconds", sum; print "step", t[int((NR + 1) / 2)] }'
echo "formats f32"
