#!/bin/sh
# demo.sh PLUMB - the quick demo from end to end: its files, its JSON, the
# same bytes for one and two threads, and its own record repeats it.
. "$(dirname "$0")/check.sh"
SOURCE_DATE_EPOCH=1000000000
export SOURCE_DATE_EPOCH

expect 0 demo --quick --out one --threads 1 --json
cp out one.json
holds jq -e '.schema and .plumb_version and .seed == 1 and
    .scenario == "paradox" and .seconds > 0 and (.verdict | length > 0) and
    (.top_rival | test("^R[0-9]+$"))' one.json
for measure in rm_delta gold_delta rm_win_rate gold_win_rate length_ratio \
    repetition_delta kl_trend; do
    holds jq -e --arg m "$measure" '.[$m] | has("estimate") and has("low") and
        has("high") and has("n")' one.json
done
holds jq -e '.kl_sequence | length > 1 and
    all(has("iteration") and has("estimate") and has("low") and has("high")
        and has("n"))' one.json
holds jq -e '.observations | [.reward_up, .human_down, .verbosity_up, .kl_up]
    | all(. == true or . == false or . == null)' one.json

for probe in edits pairs gradient relaxation prefixes reference push; do
    holds jq -e '.schema == "plumb.probe/1"' "one/probes/$probe.json"
done
for path in sft/config.yaml reward/config.yaml ppo/config.yaml \
    ppo/metrics.jsonl human/spotcheck.jsonl eval/heldout.json \
    diagnosis.json report.html; do
    holds [ -s "one/$path" ]
done
holds sh -c 'ls one/ppo/checkpoints/*/model.safetensors >/dev/null'
holds sh -c 'ls one/ppo/rollouts/*.jsonl.zst >/dev/null'

# The report needs nothing but itself.
holds sh -c '! grep -qE "(src|href)=.https?:|@import|<script" one/report.html'

expect 0 demo --quick --out two --threads 2
says out "report.html"
says out "what happened"
holds diff -r -x LOCK -x timing.jsonl -x 'events.out.*' -x diagnosis.json \
    -x report.html one two
# The diagnosis names commands for its own project.
for path in diagnosis.json report.html; do
    sed 's/plumb \([a-z]*\) two/plumb \1 one/g' "two/$path" >as-one
    holds cmp as-one "one/$path"
done
# With time standing still the event files are the same too, but for speeds.

# What is there is not overwritten by accident; resuming finds it done.
expect 2 demo --quick --out two
expect 0 demo --quick --out two --resume --json
expect 4 demo --quick --out two --resume --set sft.lr=0.002

# What others left in the directory survives, also --overwrite; what has a
# demo's names but is not one is not touched.
mkdir ours mine mine/sft
echo precious >ours/letter
echo precious >mine/sft/letter
tiny='--quick --world.demos 64 --world.rank-prompts 16 --set sft.epochs=1
    --set ppo.iterations=2 --set eval.n_prompts=8 --set ppo.norm_prompts=8'
# shellcheck disable=SC2086 # a list of words
for mode in --resume --overwrite; do
    expect 0 demo $tiny --out ours $mode
    expect 2 demo $tiny --out mine $mode
    says errors "mine/sft is not a demo's"
done
holds grep -q precious ours/letter
holds grep -q precious mine/sft/letter

# A budget holds the KL at its target, which the demo's fixed penalty leaves
# far behind: from the same stages, means of the last five iterations.
expect 0 ppo -c one/ppo/config.yaml --kl-control budget --kl-target 2 --out held
holds jq -se '.[-5:] | map(."kl/sequence") | add / length > 4' \
    one/ppo/metrics.jsonl
holds jq -se '.[-5:] | map(."kl/sequence") | add / length
    | . > 2 * 0.7 and . < 2 * 1.3' held/metrics.jsonl

# plumb eval on the project prints the same measures.
expect 0 eval two --json --n-prompts 32 --samples 2
holds jq -e '.schema and .rm_delta and .kl_sequence' out
# As if live: replies of every checkpoint, rounds of votes on them, an alarm or
# none; without the votes too, and with nothing of what came after.
expect 0 eval two --n-prompts 32 --samples 2 --set eval.curve_samples=true
mkdir two/human/checkpoints
first=0
for round in two/eval/checkpoints/*.jsonl; do
    expect 0 world judge --panel careful --data "$round" --set panel.pairs=8 \
        --set panel.placebo_pairs=0 --set panel.twice=0 \
        --set panel.skip_same=true --set panel.first=$first \
        --out "two/human/checkpoints/${round##*/}"
    first=$((first + 8))
done
holds [ "$first" -gt 8 ]
expect 0 diagnose two --json --resamples 100
holds jq -e '.warning | (.columns.level | length) == .iterations and
    .iterations > 4 and .needs == null and
    (.budget > 0 or .alarm_at < 20)' out
jq -c '.warning.columns.kl_spent[:4]' out >spent
expect 0 diagnose two --resamples 100
says out 'would have been raised'
rm -r two/human/checkpoints
for rollouts in two/ppo/rollouts/*; do
    case $rollouts in
    */00000[1-4].*) ;;
    *) rm "$rollouts" ;;
    esac
done
expect 0 diagnose two --json --resamples 100
holds jq -e '.warning.iterations == 4 and .warning.budget == 0' out
jq -c '.warning.columns.kl_spent' out >truncated
holds cmp spent truncated
expect 0 diagnose two --resamples 100
says out 'without votes'

expect 0 inspect two --json
holds jq -e '.kind == "project" and .sft.complete and .reward.complete and
    .ppo.complete' out
finish
