#!/bin/sh
# run.sh [BUILD] - every acceptance case with its figure (docs/acceptance.md):
# the tests, which fail when a criterion is not met, then the programs that train
# language models, which say PASS or MISS and can be stopped and run again.
set -eu
build=${1:-build/release}
here=$(cd "$(dirname "$0")" && pwd)
: "${PLUMB:=$build/plumb}"
: "${TOOLS:=$build/bench/acceptance}"
export PLUMB TOOLS

tests='rlhf/test_identities rlhf/test_relaxation rlhf/test_price_decay
stat/test_price_tabular stat/test_price_length stat/test_overopt
rlhf/test_reward_heads rlhf/test_over_optimisation rlhf/test_aggregation_length
stat/test_lcwin diagnose/test_approval stat/test_sequential
stat/test_alpaca stat/test_agreement_real stat/test_winrate'

failed=
for test in $tests; do
    echo "== $test"
    status=0
    "$build/tests/$test" >"$build/tests/$test.out" 2>&1 || status=$?
    grep -v '^\[' "$build/tests/$test.out" || true
    case $status in
    0) echo "PASS" ;;
    77) echo "skipped: its data are not there" ;;
    *)
        grep '^\[' "$build/tests/$test.out" || true
        echo "FAIL"
        failed="$failed $test"
        ;;
    esac
done
for program in price length gao; do
    echo "== $program.sh"
    "$here/$program.sh"
done
[ -z "$failed" ] || {
    echo "failed:$failed"
    exit 1
}
