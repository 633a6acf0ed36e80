#!/bin/sh
# outside.sh PLUMB - programs in place of reward model and policy: every
# command that takes one, what it records, and what is refused.
. "$(dirname "$0")/check.sh"
export SOURCE_DATE_EPOCH=1000000000

# A reward: 1 for every "e" in the response, 0.25 for being asked; with an
# argument it dies after so many.
cat >reward.sh <<'END'
n=0
while IFS= read -r line; do
    id=${line#*:}
    id=${id%%,*}
    of=${line##*\"response\":}
    only=$(printf %s "${of%%,\"finish\"*}" | tr -cd e)
    echo "{\"id\":$id,\"score\":${#only}.25}"
    n=$((n + 1))
    [ $n != "${1:-never}" ] || exit 1
done
END
# A policy that says one of two things, by its seed.
cat >policy.sh <<'END'
while IFS= read -r line; do
    id=${line#*:}
    id=${id%%,*}
    seed=${line##*\"seed\":}
    seed=${seed%\}}
    case $((seed % 2)) in
    0) say='your order #T9 is lost.' ;;
    1) say='please send the camera back.' ;;
    esac
    echo "{\"id\":$id,\"response\":\"$say\",\"tokens\":[1],\"logp\":[-2]}"
done
END
reward='sh reward.sh'
policy='sh policy.sh'

tiny='--quick --world.demos 200 --world.rank-prompts 40 --set sft.epochs=1
    --set ppo.iterations=2 --set ppo.save_every=1 --set ppo.max_new=24
    --set eval.n_prompts=8 --set eval.samples=2 --set ppo.norm_prompts=8'
# shellcheck disable=SC2086 # a list of words
expect 0 demo $tiny --out demo --quiet
ranked=demo/human/rankings.jsonl
prompts=demo/world/ppo_prompts.jsonl

# ---- score
printf '{"id":"a","prompt":"p","response":"eel"}\n' >one.jsonl
printf '{"id":"b","prompt":"p","responses":["","e","\\"e"]}\n' >>one.jsonl
expect 0 score --reward-command "$reward" --data one.jsonl --json --quiet
printf '{"id":"a","score":2.25}\n{"id":"b","score":[0.25,1.25,1.25]}\n' >wanted
holds cmp out wanted
expect 0 score --reward-command "$reward" --data $ranked --json --quiet
cp out batched
expect 0 score --reward-command "$reward" --data $ranked --json --quiet \
    --command-batch 1 --threads 1
holds cmp out batched
expect 2 score --data $ranked
says errors "score.model is not set: a model folder or its run; or --reward-com"
expect 2 score -m demo/reward --reward-command "$reward" --data $ranked
says errors "only one of them can be asked"
expect 5 score --reward-command ./nothing --data $ranked
says errors "the reward command './nothing' cannot be started"
expect 4 score --reward-command "echo '{\"id\":0,\"score\":NaN}'" --data $ranked
says errors "line 1 ('{\"id\":0,\"score\":NaN}'): the score is nan"
expect 4 score --reward-command "echo no memory >&2; exit 7" --data $ranked
says errors "ended with exit status 7"
says errors "no memory"
expect 4 score --reward-command "sleep 60" --data $ranked --command-timeout 0.2
says errors "has not answered for 0.2 s"

# ---- ppo
train="ppo --model demo/sft --prompts $prompts --iterations 4 --batch 8
    --norm-prompts 8 --max-new 24 --save-every 1"
# shellcheck disable=SC2086 # a list of words
expect 2 $train --out none
says errors "ppo.reward_model is not set"
# shellcheck disable=SC2086 # a list of words
expect 2 $train --reward-model demo/reward --reward-command "$reward" --out none
says errors "only one of them can say the score"
holds [ ! -e none ]
# shellcheck disable=SC2086 # a list of words
expect 0 $train --reward-command "$reward" --out run/ppo --quiet --threads 2
says run/ppo/config.yaml '  reward_command: "sh reward.sh"'
holds zstd -dqf run/ppo/rollouts/000001.jsonl.zst -o rows
# Every score of the trace is what the program says of that text.
jq -c '{id: "r", prompt: .prompt, response: .response}' rows >texts.jsonl
expect 0 score --reward-command "$reward" --data texts.jsonl --json --quiet
jq -s 'map(.score)' out >said
jq -s 'map(.score_raw)' rows >traced
holds cmp said traced
expect 0 ppo -c run/ppo/config.yaml --out again --quiet --threads 1
holds cmp run/ppo/metrics.jsonl again/metrics.jsonl
rm -r again
# A program that dies on the way; what was done stays, and is gone on with.
cat >mortal.sh <<'END'
[ ! -e dead ] || exec sh reward.sh
touch dead
exec sh reward.sh 30
END
# shellcheck disable=SC2086 # a list of words
expect 4 $train --reward-command "sh mortal.sh" --out mortal --quiet
says errors "ended with exit status 1 after line 30"
# shellcheck disable=SC2086 # a list of words
expect 0 $train --reward-command "sh mortal.sh" --out mortal --quiet --resume
holds cmp run/ppo/metrics.jsonl mortal/metrics.jsonl
# shellcheck disable=SC2086 # a list of words
expect 0 $train --reward-command "$reward" --reward-model-2 demo/reward \
    --out both --quiet --iterations 1
# shellcheck disable=SC2086 # a list of words
expect 0 $train --reward-command "$reward" --out none --dry-run

# ---- eval: a recorded program is started only when it is named again
sizes='--n-prompts 8 --samples 2 --quiet'
# shellcheck disable=SC2086 # lists of words, from here on
expect 2 eval run $sizes
says errors "the scores are those of the program 'sh reward.sh'; it is started"
expect 0 eval run $sizes --reward-command "$reward"
holds jq -e '.reward_command == "sh reward.sh" and .reward_model == null and
    (.score_scale.from | contains("training run"))' run/eval/settings.json
cp -r run/eval first
expect 0 eval run $sizes --reward-command "$reward" --threads 1
holds diff -r first run/eval
# Another program's scores are in another unit.
cp -r run other
expect 0 eval other $sizes --reward-command "cat | $reward"
holds jq -e '.score_scale.from == "the reference'"'"'s samples"' \
    other/eval/settings.json

# ---- probe
expect 2 probe run
says errors "it is started if you say so"
expect 2 probe run --reward-command "cat | $reward"
says errors "need not be in one unit"
few='--n-prompts 4 --push-prompts 4 --quiet'
expect 0 probe run --reward-command "$reward" $few --json
holds jq -e '.probes.pairs.state == "skipped" and
    (.probes.pairs.why | contains("--rankings FILE")) and
    ([.probes[].state] | sort == ["skipped", "written", "written", "written",
        "written", "written", "written"])' out
expect 0 probe run --reward-command "$reward" $few --rankings $ranked
says out "pairs        written"
says out "edits        kept"
holds jq -e '.reward_command == "sh reward.sh" and .training_prompts == 0 and
    .heldout_prompts == 40 and (.columns.split | unique == ["heldout"])' \
    run/probes/pairs.json
# The first ranked reply's score is the program's, in the evaluation's unit.
expect 0 score --reward-command "$reward" --data $ranked --json --quiet
holds jq -en --slurpfile said out --slurpfile p run/probes/pairs.json \
    '($said[0].score[0] - $p[0].score_scale.mean) / $p[0].score_scale.sd -
     $p[0].columns.score[0] | fabs < 1e-5'
expect 2 probe demo --reward-command "$reward"
says errors "the scores are a reward model's"

# ---- whatif
expect 2 whatif run --change beta=0.5 --quiet
says errors "it is started if you say so"
expect 0 whatif run --change beta=0.5 --reward-command "$reward" --quiet
says out "beta=0.5"
holds jq -e '.reward_command == "sh reward.sh"' \
    run/whatif/beta=0.5/seed-1/eval/settings.json
expect 5 whatif run --change relabel --reward-command "$reward" --quiet
says errors "those of a program, which is not trained here"
expect 0 diagnose run --quiet
holds grep -q 'sh reward.sh' run/report.html

# ---- the policy
expect 0 generate --policy-command "$policy" --prompt hello --samples 8 --json
holds jq -e '[.samples[].text] | unique | length == 2' out
holds jq -e '.policy_command == "sh policy.sh" and .model == null and
    .samples[0].logp == [-2] and .samples[0].finish == "eos"' out
cp out eight
expect 0 generate --policy-command "$policy" --prompt hello --samples 8 --json \
    --command-batch 3
holds cmp out eight
expect 0 generate --policy-command "$policy" --reward-command "$reward" \
    --best-of 8 --prompt hello --json
holds jq -e '.text == "please send the camera back." and .score_raw == 5.25' out
head -n 2 $prompts >two.jsonl
expect 0 generate --policy-command "$policy" --reward-model demo/reward \
    --prompts two.jsonl --samples 2 --quiet
holds jq -e '(.responses | length == 2) and (.score_raw | length == 2)' out
expect 2 generate --policy-command "$policy" --prompt-ids 1,2
expect 2 generate --policy-command "$policy" -m demo/sft --prompt a
expect 2 generate --prompt a
says errors "generate.model is not set"
expect 4 generate --policy-command "echo '{\"id\":0}'" --prompt a
says errors 'no "response"'

cp -r demo spoken
expect 0 eval spoken $sizes --policy-command "$policy"
holds jq -e '.policy_command == "sh policy.sh" and .policy == .reference and
    .reward_command == null' spoken/eval/settings.json
grep '"which":"policy"' spoken/eval/samples.jsonl >said
holds [ "$(wc -l <said)" = 16 ]
holds jq -e '(.response | IN("your order #T9 is lost.",
    "please send the camera back.")) and .kl == null and .is_eos and
    (.tokens | length > 5)' said
cp -r spoken/eval first2
expect 0 eval spoken $sizes --policy-command "$policy" --threads 1 \
    --command-batch 5
holds diff -r first2 spoken/eval
expect 0 probe spoken $few --json
holds jq -e '([.probes[].state] | sort == ["skipped", "skipped", "skipped",
    "skipped", "written", "written", "written"]) and
    (.probes.prefixes.why | contains("tells its replies and not its prob"))' out
expect 0 diagnose spoken --quiet
expect 4 whatif spoken --change beta=0.5 --quiet
says errors "is about the replies of a program"
expect 0 eval spoken $sizes --policy-command "$policy" \
    --reward-command "$reward"
holds jq -e '.policy_command != null and .reward_command != null' \
    spoken/eval/settings.json
expect 2 eval spoken $sizes --policy-command "$policy" --best-of 2
expect 4 eval spoken $sizes --policy-command "sed -u \
's/^{\"id\":\\([0-9]*\\).*/{\"id\":\\1,\"response\":\"zyzzyva\"}/'"
says errors "the policy command, prompt '"

# ---- a stop: the program ends with it, and so does plumb
"$plumb" score --reward-command 'sleep 4321' --data $ranked >out 2>errors &
pid=$!
sleep 1
kill -INT $pid
wait $pid
holds [ $? = 130 ]
says errors "stopped"
holds [ -z "$(pgrep -f '^sleep 4321')" ]

finish
