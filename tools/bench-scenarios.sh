#!/bin/sh
# bench-scenarios.sh PLUMB [SEEDS] - run the demo's three scenarios over seeds
# and print what came out, as a table for the README.
#
# `holds` says whether a run meets the expectation of its scenario:
#   paradox  RM win rate >= 0.80, gold win rate <= 0.46, length ratio >= 1.4
#            and the KL trend's interval above 0
#   healthy  gold win rate >= 0.58, length ratio in 0.85 .. 1.15
# weak-rm has no expectation: it is printed as it comes out.
set -eu
plumb=$1
seeds=${2:-1 2 3 4 5}
out=build/scenarios
mkdir -p "$out"

echo '| scenario | seed | RM win | gold win | length ratio | KL trend | holds |'
echo '|---|---|---|---|---|---|---|'
for scenario in paradox healthy weak-rm; do
    for seed in $seeds; do
        run=$out/$scenario-$seed
        "$plumb" demo --scenario "$scenario" --seed "$seed" --out "$run" \
            --overwrite --quiet --json >"$run.json"
        jq -r --arg scenario "$scenario" --arg seed "$seed" '
            def r(n): if . == null then "-"
                      else . * pow(10; n) | round / pow(10; n) | tostring end;
            (if $scenario == "paradox" then
                 .rm_win_rate.estimate >= 0.80 and
                 .gold_win_rate.estimate <= 0.46 and
                 .length_ratio.estimate >= 1.4 and .kl_trend.low > 0
             elif $scenario == "healthy" then
                 .gold_win_rate.estimate >= 0.58 and
                 .length_ratio.estimate >= 0.85 and
                 .length_ratio.estimate <= 1.15
             else null end) as $holds |
            "| \($scenario) | \($seed) | \(.rm_win_rate.estimate | r(2))" +
            " | \(.gold_win_rate.estimate | r(2))" +
            " | \(.length_ratio.estimate | r(2))" +
            " | \(.kl_trend.estimate | r(3))" +
            " | \(if $holds == null then "-" elif $holds then "yes"
                  else "no" end) |"' "$run.json"
    done
done
