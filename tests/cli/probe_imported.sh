#!/bin/sh
# probe_imported.sh PLUMB - probes of an imported run, of which there are texts
# alone: a program that scores texts is asked, what it cannot tell is skipped,
# and the diagnosis has the rows.
. "$(dirname "$0")/check.sh"
export SOURCE_DATE_EPOCH=1000000000

# A reward of a quarter and one for every "e" of the response.
cat >reward.sh <<'END'
while IFS= read -r line; do
    id=${line#*:}
    id=${id%%,*}
    of=${line##*\"response\":}
    only=$(printf %s "${of%%,\"finish\"*}" | tr -cd e)
    echo "{\"id\":$id,\"score\":${#only}.25}"
done
END
reward='sh reward.sh'

# Ten prompts, answered by both, with scores: as the program has them, and as
# another one would.
side() {
    awk -v other="$1" 'BEGIN {
        for (i = 0; i < 10; i++) {
            text = "It is number " i "."
            for (k = 0; k < i % 4; k++)
                text = text " See here, we sent it."
            if (other)
                text = text " Do be at peace."
            e = gsub(/e/, "e", text)
            printf "%s{\"prompt\":\"Where is %d?\",\"response\":\"%s\"," \
                "\"reward\":%s}", (i ? "," : ""), i, text, e ".25"
        }
    }'
}
printf '{"reference":[%s],"ppo":[%s]}\n' "$(side 0)" "$(side 1)" >all.json
expect 0 import samples all.json --map policy=ppo --out run
holds jq -e -s 'length == 20 and all(.prompt != "" and .score > 0)' \
    run/eval/samples.jsonl

expect 2 probe run
says errors "is an imported run, whose models are elsewhere: --reward-command"
expect 0 probe run --reward-command "$reward" --json
holds jq -e '.probes.edits.state == "written" and
    ([.probes[] | select(.state == "skipped")] | length == 6) and
    (.probes.prefixes.why | contains("texts do not tell")) and
    (.probes.pairs.why | contains("--rankings FILE"))' out
# Each text was asked about: the scores before are those that were imported, in
# the unit of the reference's replies, and a filler's "e"s are what it adds.
holds jq -e '.schema == "plumb.probe/1" and .len_unit == "words" and
    .reward_command == "sh reward.sh" and .agreement > 0.999 and
    (has("policy") | not) and .seed == 1 and
    ([.columns[] | length] | unique | length == 1)' run/probes/edits.json
holds jq -en --slurpfile p run/probes/edits.json \
    --slurpfile s run/eval/samples.jsonl '$p[0] as $f |
    ([$s[] | select(.which == "reference") | .score] |
     (add / length) as $m | {mean: $m,
      sd: (map(. - $m | . * .) | add / length | sqrt)}) as $unit |
    ($f.score_scale.mean - $unit.mean | fabs < 1e-9) and
    ($f.score_scale.sd - $unit.sd | fabs < 1e-9) and
    all(range($f.columns.edit | length); . as $i |
        $f.columns.edit[$i] != "pad" or $f.columns.filler[$i] < 0 or
        ($f.columns.added_tokens[$i] > 0 and
         $f.columns.after[$i] >= $f.columns.before[$i]))'
expect 0 probe run --reward-command "$reward" --json
holds jq -e '.probes.edits.state == "kept"' out
cp -r run/probes first
expect 0 probe run --reward-command "$reward" --overwrite --threads 1 --quiet
holds diff -r first run/probes

# Replies that people ranked: all held out, lengths in words.
printf '{"id":"%s","prompt":"p","responses":["%s","%s"],"ranking":[1,2]}\n' \
    a 'three green trees' no b 'a reed' 'not so' >ranked.jsonl
expect 0 probe run --reward-command "$reward" --rankings ranked.jsonl \
    --probes pairs
says out "pairs        written"
holds jq -e '.columns.tokens == [3, 1, 2, 2] and .training_prompts == 0 and
    .columns.rank == [1, 2, 1, 2] and
    (.columns.score[0] - (6.25 - .score_scale.mean) / .score_scale.sd |
     fabs < 1e-5)' run/probes/pairs.json

# The diagnosis has them, and still nothing that takes a model.
expect 0 diagnose run --json
holds jq -e '[.leads[] | select(.id == "edit_pad")] | length == 1 and
    .[0].estimate > 0 and .[0].low > 0' out
holds jq -e '[.gates[] | .verdict] | unique == ["not_measurable"]' out

# Another program is another reward model, and that is said.
expect 0 probe run --overwrite --probes edits --reward-command \
    "sed -u 's/.*\"id\":\\([0-9]*\\),.*Where is \\([0-9]*\\).*/{\"id\":\\1,\"score\":-\\2}/'"
says errors "it is not the reward model of this run"
expect 4 probe run --overwrite --probes edits --reward-command \
    "sed -u 's/.*\"id\":\\([0-9]*\\),.*/{\"id\":\\1,\"score\":1}/'"
says errors "gives all replies of the reference one score"

# What wants the run's models says so.
for command in eval 'whatif --change beta=1'; do
    # shellcheck disable=SC2086 # a list of words
    expect 5 $command run
    says errors "is an imported run, whose models are elsewhere; plumb diagnose"
done
# No replies at all.
rm run/eval/samples.jsonl
expect 5 probe run --reward-command "$reward"
says errors "the import found no held-out replies"
finish
