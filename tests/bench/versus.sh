#!/bin/sh
# versus.sh VERSUS SOURCE - bench/versus.c tells the ratio of every pair, and its
# file has one row of a name against the same, the last one.
set -eu

versus=$1
command -v jq >/dev/null || {
    echo "there is no jq: skipped"
    exit 77
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

fail() {
    echo "versus.sh: $1"
    cat rows.json
    exit 1
}

# is WHAT FILTER: the filter is true of the rows.
is() {
    jq -e "$2" rows.json >/dev/null || fail "$1: $2"
}

# measure ARG ...: OPTION ... -- OURS -- THEIRS, of 3 pairs
measure() {
    "$versus" --json rows.json --pairs 3 "$@" >out 2>err
}

# Memory does not depend on who else is there: there always is a ratio.
measure --name memory --against them --figure peak_mib --less --target 100 \
    -- sh -c : -- sh -c : || fail "memory is not measured"
is "a ratio of each pair" '.[0].ratios | length == 3'
is "their range" '.[0] | .ratio_min == (.ratios | min) and
    .ratio_max == (.ratios | max) and .ratio_median == (.ratios | sort)[1]'
is "all pairs" '.[0] | .pairs == 3 and .discarded == 0 and
    .noise == .noise_all and .noise_all >= 1'
grep -q '^    in each pair: [0-9.]* [0-9.]* [0-9.]*; noise' out ||
    fail "no ratio of each pair is printed"

# Seconds do: without quiet pairs there are none.
status=0
measure --name time --against them --target 2 -- sh -c 'echo seconds 2' \
    -- sh -c 'echo seconds 6' || status=$?
case $status in
0)
    is "ours into theirs" '.[1] | .ratios == [3, 3, 3] and .met'
    is "noise" '.[1] | .noise <= 1.3 and .noise <= .noise_all and
        .pairs == 3 and .discarded <= 3'
    ;;
3) is "a machine too noisy" '.[1] | .ratios == [] and .ratio_median == null and
    .discarded == 0 and .pairs == 6 and .noise == .noise_all' ;;
*) fail "exit status $status" ;;
esac

# The same again takes the row's place; against others it is another row.
measure --name memory --against others --absent "nobody is there"
measure --name memory --against them --absent "they are gone"
is "three rows, in order" \
    'map([.name, .against]) == [["memory", "them"], ["time", "them"],
    ["memory", "others"]]'
is "the newer one" '.[0] | .why == "they are gone" and .ratios == [] and
    .ratio_median == null and .met == null'
measure --name again --against them --also memory peak_mib 1 -- \
    sh -c 'echo seconds 1' -- sh -c 'echo seconds 1' || [ $? -eq 3 ] ||
    fail "two figures of the same runs are not measured"
is "a further figure's place" '(map(.name) == ["memory", "time", "memory",
    "again"]) and (.[0].ratios | length >= 3)'

"$versus" --table rows.json >out || fail "there is no table"
[ "$(wc -l <out)" -eq 5 ] || fail "the table has another number of rows"
grep -q '^memory *others .* nobody is there$' out || fail "no reason in the table"
grep -Eq '^memory *them .* [36] \+ [0-9] +[0-9.]+ / [0-9.]+ ' out ||
    fail "no pairs and noise in the table"
