#!/bin/sh
# watch.sh PLUMB - watching runs from a shell: what is there now, the terminal
# view where there is no terminal, spot-checks, and what is said when nothing
# can be watched.
. "$(dirname "$0")/check.sh"

mkdir -p desk/ppo/rollouts desk/sft desk/eval desk/reward/eval
echo 'ppo:' >desk/ppo/config.yaml
echo '  iterations: 40' >>desk/ppo/config.yaml
echo '{"step":25,"loss":3}' >desk/sft/metrics.jsonl
echo '{"accuracy_chosen_longer":{"estimate":0.9},
       "accuracy_chosen_shorter":{"estimate":0.3}}' >desk/reward/eval/heldout.json
step=0
while [ $step -lt 20 ]; do
    step=$((step + 1))
    echo "{\"step\":$step,\"objective/scores\":$step,\"kl/sequence\":$step,\
\"response/length\":30}" >>desk/ppo/metrics.jsonl
    for k in 0 1 2 3; do
        echo "{\"step\":$step,\"prompt_id\":\"p$k\",\"sample\":0,\
\"finish\":\"eos\",\"response\":\"x\",\"score\":$step.$k,\"logp\":[-1],\
\"logp_ref\":[-3],\"kl\":[$step],\"tokens\":[1]}"
    done >"desk/ppo/rollouts/$(printf %06d $step).jsonl"
done

# One document, of all stages.
expect 0 watch desk --json
holds jq -e '.schema == "plumb.watch/1" and (.runs | length == 2)' out
holds jq -e '.runs[0] | .stage == "ppo" and .step == 20 and .total == 40 and
    .state == "stopped"' out
holds jq -e '.runs[0].alarms[] | select(.alarm == "paradox") |
    .state == "open"' out
expect 0 watch desk/ppo --json
holds jq -e '.runs | length == 1' out

# No terminal: one look and an end, without codes, no wider than 80 columns.
expect 0 watch desk --tty
says out "ppo stopped  step 20/40"
says out "! paradox (open since"
says out "reward"
holds sh -c '! grep -q "$(printf "\033")" out'
holds sh -c '[ "$(LC_ALL=C.UTF-8 wc -L <out)" -le 80 ]'
NO_COLOR=1 expect 0 watch desk/sft --tty --once
says out "loss"

# Only metrics.jsonl was read, and nothing was written.
holds [ ! -e desk/human/judgements.db ]
holds [ -z "$(find desk -name '.plumb-index*')" ]

# Without replies of the reference there is nothing to ask about.
expect 5 watch desk --queue
says errors "no replies of the reference"
says errors "plumb eval desk"
k=0
while [ $k -lt 30 ]; do
    for which in policy reference; do
        for s in 0 1; do
            echo "{\"prompt_id\":\"h$k\",\"prompt\":\"q $k\",\
\"which\":\"$which\",\"sample\":$s,\"response\":\"$which $k $s\",\"len\":3,\
\"finish\":\"eos\",\"score\":1}"
        done
    done
    k=$((k + 1))
done >desk/eval/samples.jsonl
expect 0 watch desk --queue --pairs 10
says out "10 pairs and 10 placebo pairs queued"
says out "plumb label desk/human/judgements.db"
expect 0 label progress desk/human/judgements.db --json
holds jq -e '.pools[] | (.name | startswith("watch: desk/ppo ")) and
    .items == 20' out
expect 0 watch desk --queue --pairs 10
says out "0 pairs and 0 placebo pairs queued, the others were there"
expect 0 watch desk --queue --pairs 10 --json
holds jq -e '.queued | length == 1 and .[0].already == 20 and
    .[0].database == "desk/human/judgements.db" and .[0].step == 20' out
expect 0 watch desk --json
holds jq -e '.runs[0] | .asked == 10 and .voted == 0' out
holds jq -e '.runs[0].alarms[] | select(.alarm == "paradox") |
    .state == "asked"' out
expect 2 watch desk/sft --queue
says errors "trains a policy"

# A database that is none, and one that nobody would look for.
expect 4 watch desk --judgements desk/ppo/metrics.jsonl --json
says errors "no whole database of judgements"
expect 5 watch desk --judgements nowhere/x.db --queue
says errors "there is no directory nowhere"
holds [ ! -e nowhere ]

# Damage is not as if nobody had judged.
cp -r desk torn
head -c 20000 desk/human/judgements.db >torn/human/judgements.db
rm -f torn/human/judgements.db-wal torn/human/judgements.db-shm
expect 0 watch torn --json
says errors "what people said cannot be read"
holds [ "$(grep -c 'cannot be read' errors)" -eq 1 ]
holds jq -e '.runs[0].people_error | test("judgements.db")' out
holds jq -e '.runs[0].alarms[] | select(.alarm == "paradox") |
    .text | test("cannot be read")' out
expect 0 diagnose torn
holds sh -c 'head -1 out | grep -q "what people said cannot be read"'
holds sh -c '! grep -q "world judge" out'

# A long log leaves an index, unless told not to.
step=0
awk 'BEGIN { for (i = 1; i <= 9000; i++)
    printf "{\"step\":%d,\"loss\":%.12f,\"accuracy\":0.5}\n", i, 1 / i }' \
    >desk/sft/metrics.jsonl
expect 0 watch desk/sft --json --no-index
holds [ ! -e desk/sft/.plumb-index ]
expect 0 watch desk/sft --json
holds [ -e desk/sft/.plumb-index ]
cp out first
expect 0 watch desk/sft --json
holds cmp out first
printf garbage | dd of=desk/sft/.plumb-index bs=1 seek=500 conv=notrunc \
    2>/dev/null
expect 0 watch desk/sft --json
holds cmp out first

# A run is there once, whatever links lead to it, by the name of where it lies.
mkdir linked
cp -r desk/sft linked/sft
ln -s . linked/loop
ln -s sft linked/again
expect 0 watch linked --json
holds jq -e '[.runs[].name] == ["sft"]' out
# What is wrong with a file is said once.
mkdir linked/broken linked/broken/metrics.jsonl
expect 0 watch linked --json
holds [ "$(grep -c 'broken/metrics.jsonl' errors)" -eq 1 ]

# What cannot be watched.
expect 5 watch nowhere
says errors "nowhere: no such directory"
expect 5 watch desk/eval
says errors "holds no run"
expect 2 watch
expect 2 watch desk --smooth
expect 2 watch desk --port 99999
expect 2 watch desk --listen somewhere
expect 2 watch desk --port 0 --host 'a b'
says errors 'is no name or address of a host'

# Links that others can use: not 0.0.0.0, and https behind a proxy.
# served ARGUMENTS...: what is printed until it listens.
served() {
    "$plumb" watch desk --port 0 --no-index "$@" >serving 2>errors </dev/null &
    server=$!
    tries=0
    while [ ! -s serving ] && [ $tries -lt 100 ]; do
        sleep 0.1
        tries=$((tries + 1))
    done
    sleep 0.2
    kill -TERM "$server"
    wait "$server"
    holds [ $? -eq 143 ]
}
served --listen 0.0.0.0
holds grep -Eq 'to look: http://[a-z0-9.-]*:[0-9]+/#token=' serving
holds sh -c '! grep -F 0.0.0.0 serving'
says errors 'where others do not know it by that, --host takes'
served --tls --host watch.example.org
holds grep -q 'to look: https://watch.example.org/#token=' serving
holds sh -c '! grep "links call" errors'

finish
