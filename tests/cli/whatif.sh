#!/bin/sh
# whatif.sh PLUMB - runs with one change: arms and their files, the comparison,
# what is passed over and gone on with, and what is refused.
. "$(dirname "$0")/check.sh"
export SOURCE_DATE_EPOCH=1000000000

tiny='--quick --world.demos 200 --world.rank-prompts 40 --set sft.epochs=2
    --set sft.save_every=3
    --set ppo.iterations=3 --set ppo.save_every=1 --set ppo.max_new=24
    --set eval.n_prompts=8 --set eval.samples=2 --set ppo.norm_prompts=8'
# shellcheck disable=SC2086 # a list of words
expect 0 demo $tiny --out project --quiet

# Everything but the clock's files and the lock, which names the process.
same() {
    diff -r -x LOCK -x timing.jsonl -x 'events.out.*' "$1" "$2"
}

# What is refused, and nothing written.
expect 0 whatif project --change list
says out "beta=VALUE"
expect 2 whatif project
says errors "nothing to change"
expect 2 whatif project --change bta=1
says errors "unknown change 'bta'; did you mean 'beta'?"
expect 2 whatif project --change beta=0.2 --change beta=0.2
says errors "asked for twice"
expect 2 whatif project --change beta=0.02
says errors "the run has these settings"
expect 2 whatif project --change ppo.minibatches=1000
expect 5 whatif nowhere --change beta=0.2
expect 5 whatif project/sft --change beta=0.2
says errors "is no ppo run"
expect 0 whatif project --change beta=0.2 --change relabel --dry-run
says out "ppo.beta: 0.02 -> 0.2"
says out "reward, ppo, eval"
expect 0 whatif project --change beta=0.2 --seeds 2 --dry-run --json
holds jq -e '.schema == "plumb.whatif_plan/1" and
    [.arms[].dir] == ["whatif/base/seed-1", "whatif/beta=0.2/seed-1",
        "whatif/base/seed-2", "whatif/beta=0.2/seed-2"] and
    all(.arms[]; .is_done | not)' out
holds [ ! -e project/whatif ]
cp -r project other

# A setting that changes no number: the pairing leaves exactly nothing, the
# base's seeds and streams are the arm's.
expect 0 whatif project --change ppo.trace_every=2 --json
holds jq -e '.schema == "plumb.whatif/1" and
    (.changes[0].seeds[0].measures | (.rm, .gold, .kl, .human_win_rate) |
        .effect.estimate == 0 and .effect.low == 0 and .effect.high == 0) and
    .changes[0].seeds[0].measures.length.effect.estimate == 1 and
    .timing[0].seconds >= 0' out
holds cmp project/eval/samples.jsonl \
    project/whatif/ppo.trace_every=2/seed-1/eval/samples.jsonl
holds cmp project/human/spotcheck.jsonl \
    project/whatif/ppo.trace_every=2/seed-1/human/spotcheck.jsonl

# Two changes, two seeds.
ask='--change beta=0.5 --change relabel --seeds 2'
# shellcheck disable=SC2086
expect 0 whatif project $ask --json
holds jq -e '[.changes[].name] == ["beta=0.5", "relabel"] and
    all(.changes[]; [.seeds[].seed] == [1, 2] and .claim == "consistent with")
    and (.changes[0].seeds | all(.own_reward == null)) and
    (.changes[1].seeds | all(.own_reward.accuracy.n > 0)) and
    [.changes[].seeds[].base] == [".", "whatif/base/seed-2",
        ".", "whatif/base-reward/seed-2"] and
    .changes[0].stages == ["ppo"] and .changes[1].stages == ["reward", "ppo"]
    and all(.changes[].seeds[];
        .measures.gold.effect.n == 8 and .cost.tokens_drawn > 0) and
    (.changes[0].over_seeds.kl.seeds == 2) and (.points | length == 7) and
    .judge == "simulated panel"' out
holds jq -e -s '.[0].settings == [{"key": "ppo.beta", "from": "0.02",
    "to": "0.5"}]' project/whatif/beta=0.5/seed-2/arm.json
holds grep -q 'beta: 0.5' project/whatif/beta=0.5/seed-2/ppo/config.yaml
holds grep -q '^seed: 2' project/whatif/beta=0.5/seed-2/ppo/config.yaml
holds grep -q '../reward/checkpoints' \
    project/whatif/relabel/seed-1/ppo/config.yaml
holds grep -q 'base_raw' project/whatif/relabel/seed-1/eval/samples.jsonl
holds sh -c '! grep -qE "(src|href)=.https?:|@import|<script" \
    project/whatif/report.html'
# An arm is a project to the other commands.
expect 0 inspect project/whatif/relabel/seed-1 --json
holds jq -e '.ppo.complete and .reward.complete' out

# Once more: nothing is run, and the same bytes; also on one thread elsewhere.
cp -r project/whatif first
# shellcheck disable=SC2086
expect 0 whatif project/ppo $ask
says out "changed - base"
holds [ "$(grep -c 'iteration' errors)" = 0 ]
holds diff -r first project/whatif

# Killed at some point of it, and gone on with.
# shellcheck disable=SC2086
"$plumb" whatif other $ask --threads 1 >/dev/null 2>&1 &
pid=$!
until [ -e other/whatif/beta=0.5/seed-1/ppo/checkpoints/000001 ] ||
    ! kill -0 $pid 2>/dev/null; do
    sleep 0.05
done
kill -9 $pid
wait $pid 2>/dev/null
holds [ ! -e other/whatif/result.json ]
# shellcheck disable=SC2086
expect 0 whatif other $ask --threads 2
rm -rf first/ppo.trace_every=2
holds same first other/whatif

# What was made from another evaluation is evaluated anew, not trained.
expect 0 eval other --seed 3 --n-prompts 4 --samples 2 --quiet
expect 0 whatif other --change beta=0.5 --json
holds jq -e '.evaluation == {"seed": 3, "prompts": 4, "samples": 2} and
    .changes[0].seeds[0].measures.rm.effect.n == 4' out
holds cmp first/beta=0.5/seed-1/ppo/metrics.jsonl \
    other/whatif/beta=0.5/seed-1/ppo/metrics.jsonl

# Arms of other settings under the same name are refused, or made anew.
cp project/human/rankings.jsonl mine.jsonl
expect 0 whatif other --change relabel=mine.jsonl --dry-run
tac project/human/rankings.jsonl >mine.jsonl
expect 0 whatif other --change relabel=mine.jsonl --quiet
tac project/whatif/relabel/labels/rankings.jsonl >mine.jsonl
expect 4 whatif other --change relabel=mine.jsonl
expect 0 whatif other --change relabel=mine.jsonl --overwrite --quiet

# A change made anew leaves the base arms that it shares with others.
expect 0 whatif project --change clip=0.1 --seeds 2 --quiet
touch -d @1 project/whatif/base/seed-2/ppo/metrics.jsonl
touch project/whatif/beta=0.5/seed-1/here project/whatif/clip=0.1/seed-1/here
cp project/whatif/result.json clip.json
expect 0 whatif project --change clip=0.1 --seeds 2 --overwrite --quiet
holds [ ! -e project/whatif/clip=0.1/seed-1/here ]
holds [ -e project/whatif/beta=0.5/seed-1/here ]
holds [ "$(stat -c %Y project/whatif/base/seed-2/ppo/metrics.jsonl)" = 1 ]
holds cmp clip.json project/whatif/result.json

# One that is not complete is not anybody's yet, and is made anew.
rm project/whatif/base/seed-2/arm.json
expect 0 whatif project --change clip=0.1 --seeds 2 --overwrite --quiet
holds [ "$(stat -c %Y project/whatif/base/seed-2/ppo/metrics.jsonl)" != 1 ]
holds cmp clip.json project/whatif/result.json

# There is a last seed.
cp project/ppo/config.yaml kept.yaml
sed 's/^seed: 1$/seed: 9007199254740991/' kept.yaml >project/ppo/config.yaml
expect 0 whatif project --change beta=0.5 --dry-run
expect 2 whatif project --change beta=0.5 --seeds 2 --dry-run
says errors "the last one there is is 9007199254740991"
expect 2 whatif project --change best-of=2 --seeds 2
says errors "needs 1 seeds after"
cp kept.yaml project/ppo/config.yaml

# The policy from an earlier epoch of fine-tuning.
expect 0 whatif other --change sft-epoch=1 --json
holds jq -e '.changes[0].settings[0].to | test("sft/checkpoints/0*6$")' out
expect 5 whatif other --change sft-epoch=0.1
expect 2 whatif other --change sft-epoch=first

# A stage that left no record, and an evaluation that is not there.
mv other/reward/config.yaml kept.yaml
expect 5 whatif other --change relabel
says errors "relabel needs the reward stage"
expect 0 whatif other --change beta=0.5 --quiet
mv kept.yaml other/reward/config.yaml
expect 0 eval other -m other/sft --n-prompts 4 --samples 2 --quiet
expect 4 whatif other --change beta=0.5
says errors "not about the run's last checkpoint"
rm other/eval/settings.json
expect 5 whatif other --change beta=0.5
says errors "plumb eval"
finish
