#!/bin/sh
# quick.sh PLUMB GRADE - the exam at its smallest, from nothing to exam.json:
# nothing is lost on the way, blind directories are blind, what is done is not
# done again.  How right the answers are is not asked: the runs are too small.
here=$(cd "$(dirname "$0")" && pwd)
grader=$2
. "$here/../cli/check.sh"
export PLUMB="$plumb" GRADE="$grader" OUT="$work/exam" JOBS=2
exam=$here/exam.sh

holds "$exam" --quick
runs=$(wc -l <exam/list)
holds [ "$runs" -ge 4 ]
holds jq -e --argjson n "$runs" '.schema == "plumb.exam/1" and
    (.runs | length == $n and all(.verdict != null and .top_rival != null)) and
    .matrix.answers[0] == "R0" and .top1 == null and
    .false_alarm_rate == null and .placebo_rate == null and
    .sets.quick.top1.n + .sets.quick.false_alarm_rate.n == $n and
    .sets.quick.placebo_rate.n == 4 and
    .early_warning.sets.quick.runs[0].best != null and
    (.early_warning.sets.quick.budget | map(.votes_each) == [0, 2, 4, 8, 16, 32]
        and .[0].votes == 0 and .[5].votes > 0)' exam.json
# Both recommended changes are accounted for; the recorded run is the base.
holds jq -e '.whatif_coverage == null and .whatif_coverage_missing != null and
    (.sets.quick.whatif_coverage | (.changes | length == 2) and
        .tried + .measurement + .not_predicted == 2 and .failed == 0 and
        (.tried == 0 or .n > 0) and .inside <= .n)' exam.json
holds [ -z "$(find exam/stages -path '*/whatif/base/*/ppo')" ]
for d in exam/blind/*; do
    holds jq -e '.schema == "plumb.diagnosis/1" and (.rivals | length == 16) and
        .top_rival == .rivals[0].id' "$d/diagnosis.json"
done
holds [ "$(find exam/blind -name diagnosis.json | wc -l)" = "$runs" ]

# Neither name nor place of a blind directory tells the case.
holds [ "$(find exam/blind -mindepth 1 -maxdepth 1 | grep -vc \
    '/[0-9a-f]\{16\}$')" = 0 ]

# The scan passes what was made and sees what is put in, of each kind.
one=$(find exam/blind -mindepth 1 -maxdepth 1 | head -n 1)
keys='ppo.mask_eos reward.length_gain rater.hurried'
scan() {
    # shellcheck disable=SC2086 # a list of words
    "$here/scan.sh" "$one" $keys 2>said
}
caught() {
    checks=$((checks + 1))
    if scan || ! grep -q "$1" said; then
        echo "the scan does not see: $1"
        bad=$((bad + 1))
    fi
}
holds scan
# It was there to be taken away.
holds grep -q '^  mask_eos:' exam/stages/ppo-*/ppo/config.yaml
cp "$one/ppo/config.yaml" kept
sed -i 's/^ppo:/&\n  mask_eos: true/' "$one/ppo/config.yaml"
caught 'has ppo.mask_eos'
cp kept "$one/ppo/config.yaml"
echo 'planted: rater.hurried' >>"$one/ppo/config.yaml"
caught 'names a setting'
cp kept "$one/ppo/config.yaml"
packed=$(find "$one" -name '*.zst' | head -n 1)
cp "$packed" kept
zstd -dcq kept | sed '1s/}$/,"gold":1}/' | zstd -q -f -o "$packed"
caught 'what people do not'
cp kept "$packed"
echo '{}' >"$one/eval/heldout.json"
caught 'is not for a diagnosis'
rm "$one/eval/heldout.json"
holds scan

# A second time nothing is made; diagnoses and grades are the same.
find exam/stages -name 'done' -exec cat {} + | sort >before
cp exam.json first.json
holds "$exam" --quick
find exam/stages -name 'done' -exec cat {} + | sort >after
holds cmp before after
holds cmp first.json exam.json
# Without its stage a run is made anew; --grade makes nothing.
rm -r exam/stages/votes-*
holds "$exam" --quick --grade
holds [ -z "$(find exam/stages -name 'votes-*')" ]
holds cmp first.json exam.json
finish
