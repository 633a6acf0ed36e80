#!/bin/sh
# diagnose.sh PLUMB - the diagnosis of a small project: exit codes, the contract
# of its JSON, the report and the essay, and what happens where files are
# missing or damaged.
. "$(dirname "$0")/check.sh"
export SOURCE_DATE_EPOCH=1000000000

tiny='--quick --world.demos 200 --world.rank-prompts 40 --set sft.epochs=1
    --set ppo.iterations=6 --set ppo.save_every=2 --set ppo.max_new=24
    --set eval.n_prompts=12 --set eval.samples=2 --set ppo.norm_prompts=8'
few='--set diagnose.resamples=100'
# shellcheck disable=SC2086 # lists of words, from here on
expect 0 demo $tiny --out project --quiet
says out 'The report: project/report.html'
for path in diagnosis.json report.html; do
    holds [ -s "project/$path" ]
done

# The contract.
expect 0 diagnose project --json $few
holds cmp out project/diagnosis.json
holds jq -e '.schema == "plumb.diagnosis/1" and (.plumb_version | length > 0)
    and (.verdict | IN("paradox", "other_pathology", "healthy", "bug",
        "inconclusive")) and .top_rival == .rivals[0].id and
    [.gates[].id] == ["V1", "V2", "V3", "V4", "V5", "V6", "V7"] and
    [.observations[].id] == ["S1", "S2a", "S2b", "S3", "S3p", "G"] and
    [.mechanisms[].id] == ["a1", "a2", "a3", "b1", "b2", "b3", "c1", "c2", "c3"]
    and [.rivals[].rank] == [range(1; 17)] and
    (.rivals | map(.id) | unique | length == 16) and
    (.remedies | length == 2)' out
holds jq -e '[.gates, .observations, .mechanisms, .leads] | add | all(
    has("id") and has("claim") and has("estimate") and has("low") and
    has("high") and has("n") and has("unit") and has("p") and has("p_holm") and
    has("data") and has("detail") and
    (.verdict | IN("supported", "not_supported", "not_measurable")) and
    (.verdict == "not_measurable") == (.needs != null))' out
holds jq -e '.remedies | all(has("id") and has("change") and has("command") and
    has("predicted") and has("tradeoff") and has("verified"))' out
holds jq -e '(.tags | length > 0 and all(.lead and (.tag | length > 0) and
    ([.score, .length, .less_direct, .kl] | all(has("estimate") and has("q") and
        has("differs_q") and has("holds") and has("differs")))) and
    (map(.prompts) | add == 12)) and
    .ship.measure == "gold" and .ship.row.id == "ship" and
    .ship.candidates == 4 and (.ship.chosen.iteration | IN(0, 2, 4, 6))' out

# The same bytes once more, and through the run's directory.
cp project/diagnosis.json project/report.html .
expect 0 diagnose project $few
says out 'what happened'
holds cmp diagnosis.json project/diagnosis.json
holds cmp report.html project/report.html
expect 0 diagnose project/ppo --json $few
holds sh -c 'jq -S "del(.remedies)" out >a; jq -S "del(.remedies)" \
    diagnosis.json >b; cmp a b'

# The report opens with the essay and needs nothing but itself.
holds grep -q '<article class="essay"' report.html
holds grep -q 'id="row-S1"' report.html
holds grep -q 'What would change our mind' report.html
holds grep -q 'id="evaluation"' report.html
holds sh -c '! grep -qE "(src|href)=.https?:|@import|<script" report.html'
# Every link within the page leads somewhere.
holds sh -c 'grep -oE "href=\"#[^\"]*" report.html | sed "s/.*#//" | sort -u |
    while read -r id; do grep -qF "id=\"$id\"" report.html || exit 1; done'

# --out leaves the project alone; --essay writes Markdown with its notes.
rm project/diagnosis.json project/report.html
expect 0 diagnose project --out elsewhere.json --essay essay.md $few
holds cmp diagnosis.json elsewhere.json
holds [ ! -e project/diagnosis.json ]
holds [ ! -e project/report.html ]
holds grep -q '^# ' essay.md
holds grep -q '^\[^rivals.all\]: explanations in all: 16' essay.md
expect 1 diagnose project --essay nowhere/essay.md $few

# What is asked to be told of: 3, and the files are written all the same.
verdict=$(jq -r .verdict diagnosis.json)
expect 0 diagnose project --fail-on none $few
case $verdict in
healthy | inconclusive) expect 0 diagnose project --fail-on any $few ;;
*) expect 3 diagnose project --fail-on any $few ;;
esac
holds [ -s project/report.html ]
expect 2 diagnose project --fail-on everything

# What is no project.
expect 5 diagnose nowhere
mkdir empty
expect 5 diagnose empty
expect 2 diagnose

# A piece missing: named, with the command that makes it; the rest stands.
cp -r project parts
rm -r parts/probes parts/human/spotcheck.jsonl
expect 0 diagnose parts --json $few
holds jq -e '(.lost | map(.what) | contains(["probes/push.json",
    "human/spotcheck.jsonl"])) and all(.lost[]; .command != "") and
    (.gates[6] | .id == "V7" and .verdict == "not_measurable") and
    (.observations[2] | .verdict == "not_measurable" and .needs != null) and
    .verdict != "paradox" and .verdict != "healthy"' out

# Without an evaluation: what the run itself tells, and a report of that.
rm -r parts/eval
expect 0 diagnose parts --essay parts.md $few
holds grep -q '<article' parts/report.html
holds grep -q 'It is not shown' parts/report.html
expect 0 diagnose parts --json $few
holds jq -e '.tags == [] and .ship.measure == null' out

# Damaged pieces: losses with a reason, never a crash or a guess.
for file in eval/samples.jsonl eval/curve.json human/spotcheck.jsonl \
    probes/edits.json probes/push.json probes/relaxation.json \
    ppo/metrics.jsonl eval/heldout.json; do
    rm -rf broken
    cp -r project broken
    size=$(wc -c <"broken/$file")
    head -c $((size * 2 / 3)) "project/$file" >"broken/$file"
    expect 0 diagnose broken --json $few
    # A log is read as far as it goes; heldout.json is the report's alone.
    [ "$file" = eval/heldout.json ] || [ "$file" = ppo/metrics.jsonl ] ||
        holds jq -e --arg file "$file" '.lost | any(.what == $file)' out
    holds grep -q '<article' broken/report.html
    printf '{"columns":[1,2,{"a":[]}]}\n' >"broken/$file"
    expect 0 diagnose broken --json $few
done
rm -rf broken
cp -r project broken
for run in broken/ppo/rollouts/*; do
    head -c 100 "$run" >cut
    cp cut "$run"
done
expect 0 diagnose broken --json $few
holds jq -e '.lost | any(.what == "ppo/rollouts")' out

# Hostile texts of a sample stand on the page as texts.
rm -rf broken
cp -r project broken
sed 's/"intent": *"[a-z]*"/"intent":"<script>alert(1)<\/script>"/' \
    project/eval/samples.jsonl >broken/eval/samples.jsonl
expect 0 diagnose broken --json $few
holds jq -e '.tags[0].tag == "<script>alert(1)</script>"' out
holds sh -c '! grep -q "<script" broken/report.html'
holds grep -q '&lt;script&gt;' broken/report.html
finish
