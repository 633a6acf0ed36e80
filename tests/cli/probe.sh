#!/bin/sh
# probe.sh PLUMB - probes of a small project: files, JSON, what is kept, and
# what happens where something is missing.
. "$(dirname "$0")/check.sh"
export SOURCE_DATE_EPOCH=1000000000

tiny='--quick --world.demos 200 --world.rank-prompts 40 --set sft.epochs=1
    --set ppo.iterations=2 --set ppo.save_every=1 --set ppo.max_new=24
    --set eval.n_prompts=8 --set eval.samples=2 --set ppo.norm_prompts=8'
# What the quick demo has.
sizes='--n-prompts 32 --training-prompts 64 --demos 200 --push-prompts 16'
# shellcheck disable=SC2086 # a list of words
expect 0 demo $tiny --out project --quiet
cp -r project/probes demo
rm -r project/probes

# shellcheck disable=SC2086 # lists of words, from here on
expect 0 probe project --json $sizes
holds jq -e '.schema == "plumb.probes/1" and
    (.probes | length > 0 and all(.state == "written"))' out
names=$(jq -r '.probes | keys[]' out)
for name in $names; do
    holds jq -e --arg name "$name" '.schema == "plumb.probe/1" and
        .probe == $name and (.inputs | length == 64) and .seed == 1 and
        .policy == "ppo/checkpoints/000002" and .score_scale.sd > 0' \
        "project/probes/$name.json"
    # The columns of a file have one length.
    holds jq -e '[.columns // {} | .[] | length] | unique | length <= 1' \
        "project/probes/$name.json"
    holds jq -e --arg name "$name" '.probes[$name].state == "written"' \
        project/probes/summary.json
done
holds diff -r demo project/probes
cp -r project/probes first

# Once more: nothing to do.  From the ppo run, anew, on one thread: the same.
expect 0 probe project/ppo --json $sizes
holds jq -e '.probes | all(.state == "kept")' out
expect 0 probe project/ppo --overwrite --threads 1 $sizes
holds diff -r first project/probes
expect 0 probe project --probes pairs --overwrite $sizes
says out "pairs        written"
holds [ "$(wc -l <out)" = 1 ]
holds diff -r first project/probes

# Another size, another file; the others are kept.
expect 0 probe project --json $sizes --push-samples 2
holds jq -e '.probes | [.push.state, .pairs.state] == ["written", "kept"]' out
holds jq -e '.columns.step | length == 3 * 8 * 2' project/probes/push.json

# Sentences of the user's own.
echo 'we have sent you this.' >own.txt
expect 0 probe project --probes edits --fillers own.txt $sizes
holds jq -e '.source == "file" and .fillers == ["we have sent you this."]' \
    project/probes/edits.json
expect 2 probe project --probes edits --fillers none.txt
says errors "none.txt: no such file"
holds [ ! -e project/probes/edits.json ]
expect 0 probe project $sizes
holds diff -r first project/probes

expect 2 probe project --probes pairs,none
says errors "no probe 'none'; there are: "
expect 2 probe
expect 5 probe nowhere
expect 5 probe project/sft
says errors "is no ppo run"

# Without the data of a stage its probe is skipped, and the command succeeds.
mv project/human/rankings.jsonl kept.jsonl
expect 0 probe project --probes prefixes,pairs --overwrite --json $sizes
holds jq -e '.probes.prefixes.state == "written"' out
holds jq -e '.probes.pairs.state == "skipped" and
    (.probes.pairs.why | contains("rankings.jsonl: no such file"))' out
holds [ ! -e project/probes/pairs.json ]
mv project/world/demos.jsonl demos.jsonl
expect 0 probe project --overwrite --probes reference $sizes
holds jq -e '.train == null and .heldout == null and .own.top > 0 and
    (.missing | contains("demos.jsonl: no such file"))' \
    project/probes/reference.json
mv demos.jsonl project/world/demos.jsonl
head -n 20 kept.jsonl >project/human/rankings.jsonl
expect 0 probe project --probes pairs
says errors "has changed since the model was trained on it"
mv kept.jsonl project/human/rankings.jsonl
expect 0 probe project --probes pairs $sizes
holds cmp first/pairs.json project/probes/pairs.json

# A reward model from elsewhere has no run.
mkdir project/elsewhere
cp -r project/reward/checkpoints/0* project/elsewhere/model
cp project/eval/settings.json settings.json
jq '.reward_model = "elsewhere/model"' settings.json \
    >project/eval/settings.json
expect 0 probe project --probes pairs --json
holds jq -e '.probes.pairs.state == "skipped" and
    (.probes.pairs.why | contains("lies in no run"))' out
cp settings.json project/eval/settings.json

# Samples of other prompts, and none at all.
jq '.prompts = "world/ppo_prompts.jsonl"' settings.json \
    >project/eval/settings.json
expect 0 probe project --probes pairs,edits --json
holds jq -e '.probes.pairs.state == "written" and
    .probes.edits.state == "skipped" and
    (.probes.edits.why | contains("the samples are of other prompts"))' out
jq 'del(.prompts)' settings.json >project/eval/settings.json
expect 0 probe project --probes pairs
rm project/world/heldout.jsonl
expect 2 probe project
says errors "probe.prompts is not set"
jq '.score_scale.sd = 0' settings.json >project/eval/settings.json
expect 4 probe project --prompts project/world/ppo_prompts.jsonl
rm project/eval/settings.json
expect 5 probe project
says errors "plumb eval"
finish
