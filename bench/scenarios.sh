#!/bin/sh
# The demo's three scenarios over five seeds, as the table in README.md.
#
#     bench/scenarios.sh [PLUMB] [OUT]        SEEDS="1 2 3"  EXTRA="--quick"
#
# Every run is one `plumb demo`; one that is finished is not run again, one
# that was interrupted goes on, and one of an older program is made anew.
set -eu

plumb=${1:-build/release/plumb}
out=${2:-build/scenarios}
seeds=${SEEDS:-1 2 3 4 5}

run() {
    scenario=$1
    seed=$2
    dir=$out/$scenario-$seed
    [ "$plumb" -nt "$dir/demo.yaml" ] && rm -rf "$dir" "$dir.json"
    [ -s "$dir.json" ] && return
    # shellcheck disable=SC2086
    "$plumb" demo --scenario "$scenario" --seed "$seed" --out "$dir" \
        --resume --json ${EXTRA:-} >"$dir.json.part"
    mv "$dir.json.part" "$dir.json"
}

mkdir -p "$out"
for seed in $seeds; do
    for scenario in paradox healthy weak-rm; do
        run "$scenario" "$seed"
    done
done

# Does a run show what its scenario is meant to show?  The conditions stand in
# docs/world.md; weak-rm has none, it is shown as it comes out.
# shellcheck disable=SC2016
row='def fixed($d): pow(10; $d) as $p | (. * $p | round) as $n
    | (if $n < 0 then "-" else "" end) + ($n | fabs / $p | floor | tostring)
      + "." + ("000" + ($n | fabs | . % $p | tostring))[-$d:];
def pct: . * 100 | fixed(1);
def dp: fixed(2);
def holds:
    if .scenario == "paradox" then
        (.rm_win_rate.estimate >= 0.80 and .gold_win_rate.estimate <= 0.46
         and .length_ratio.estimate >= 1.4 and .kl_trend.low > 0)
    elif .scenario == "healthy" then
        (.gold_win_rate.estimate >= 0.58 and .length_ratio.estimate >= 0.85
         and .length_ratio.estimate <= 1.15)
    else null end;
def yes: if . == null then "–" elif . then "yes" else "no" end;
"| \(.scenario) | \(.seed) | \(.rm_win_rate.estimate | pct) "
+ "| \(.gold_win_rate.estimate | pct) "
+ "[\(.gold_win_rate.low | pct), \(.gold_win_rate.high | pct)] "
+ "| \(.length_ratio.estimate | dp) "
+ "| \(.gold_delta.estimate | dp) "
+ "| \(.kl_sequence[-1].estimate | dp) "
+ "| \(.kl_trend.estimate * 60 | dp) "
+ "[\(.kl_trend.low * 60 | dp), \(.kl_trend.high * 60 | dp)] "
+ "| \(holds | yes) |"'

echo "| scenario | seed | RM win % | gold win % [95 %] | length ratio | gold change | KL at the end | KL trend per 60 iterations [95 %] | holds |"
echo "|---|---|---|---|---|---|---|---|---|"
for scenario in paradox healthy weak-rm; do
    for seed in $seeds; do
        jq -r "$row" "$out/$scenario-$seed.json"
    done
done
