#!/bin/sh
# people.sh PLUMB - from rankings to a diagnosis by way of the labelling page,
# with simulated people who use it as people do: over HTTP.
here=$(cd "$(dirname "$0")" && pwd)
. "$here/check.sh"
. "$here/serving.sh"
shape='--channels 16 --layers 1 --heads 2 --kv-heads 1 --feed-forward 32'

# visit NAME KIND DB TICKETS [MORE...]: invite somebody, who judges.
visit() {
    name=$1 kind=$2 db=$3 tickets=$4
    shift 4
    expect 0 label invite "$db" --name "$name" --port "$port"
    cp out "$name.link"
    expect 0 world judge --as "rater:$kind" --link "$name.link" \
        --data "$tickets" --json "$@"
}

mkdir D D/human
expect 0 world tokenizer --out desk
expect 0 world demos --demos 600 --out demos.jsonl
expect 0 world tickets --split ranking --tickets 40 --out asked.jsonl
expect 0 world tickets --split ppo --tickets 32 --out prompts.jsonl
# shellcheck disable=SC2086 # a list of words
expect 0 sft --data demos.jsonl --tokenizer desk $shape --epochs 2 --out D/sft
expect 0 generate -m D/sft --prompts asked.jsonl --samples 3 --max-new 16 \
    --out candidates.jsonl

# ---- rankings, two people at once
expect 0 label load rank.db candidates.jsonl --pool rank --seed 3
open rank.db
visit ada hurried rank.db candidates.jsonl --votes 12
holds jq -e '.judge == "ada" and .votes == 12 and .without_ticket == 0' out
"$plumb" label invite rank.db --name bob --port "$port" >bob.link
"$plumb" world judge --as rater:careful --link bob.link \
    --data candidates.jsonl --json >bob.out 2>bob.errors &
bob=$!
visit eve mixed rank.db candidates.jsonl
cp out eve.out
wait "$bob"
holds [ $? -eq 0 ]
holds sh -c '[ $(($(jq .votes bob.out) + $(jq .votes eve.out))) -ge 25 ]'
# A link is a secret of its own; nobody else's opens anything.
sed 's/.$/!/' ada.link >bad.link
expect 2 world judge --as rater:coin --link bad.link --data candidates.jsonl
expect 2 world judge --as rater:coin --data candidates.jsonl
expect 5 world judge --as rater:coin --link ada.link --pool none \
    --data candidates.jsonl
expect 5 world judge --as rater:coin --link ada.link --data none.jsonl
head -6 candidates.jsonl >some.jsonl
expect 0 label load rank.db some.jsonl --pool some --repeats 0 --identical 0
# Tickets of other prompts: nothing is skipped, since that is on record.
expect 0 label invite rank.db --name zoe --port "$port"
cp out zoe.link
expect 4 world judge --as rater:coin --link zoe.link --data prompts.jsonl
says errors "pool 'some' is left alone: prompts.jsonl has no ticket"
says errors 'nothing was skipped'
# Of some of them: these are judged, the others skipped, and it is told.
head -5 candidates.jsonl >fewer.jsonl
expect 0 world judge --as rater:coin --link zoe.link --data fewer.jsonl \
    --pool some --json
holds jq -e '.votes == 5 and .without_ticket == 1 and .pools_left == 0' out
says errors 'skipped, which is on record'
close
expect 0 label audit rank.db
# Pools that meet in one file are named.
expect 0 label export rank.db --format trl
says errors "the votes of 2 pools are mixed in it, 'rank', 'some'"
expect 0 label export rank.db --format trl --pool some
holds [ ! -s errors ]
"$plumb" world judge --as rater:coin --link ada.link --data some.jsonl \
    >away 2>away.errors &
away=$!
sleep 1
says away.errors "cannot connect to 127.0.0.1:$port, trying again for 30 s"
kill -TERM "$away"
wait "$away"
holds [ $? -eq 143 ]
holds [ "$(wc -l <away.errors)" -le 2 ]

# ---- a reward model of what stands in the database
expect 0 reward --data rank.db --model D/sft --epochs 1 --out D/reward --json
holds grep -q 'rank.db.votes/[0-9a-f]*.jsonl' D/reward/config.yaml
holds sh -c '[ $(cat rank.db.votes/*.jsonl | wc -l) -ge 36 ]'
expect 0 reward -c D/reward/config.yaml --out again
holds cmp D/reward/checkpoints/*/model.safetensors \
    again/checkpoints/*/model.safetensors
expect 5 reward --data rank.db --pool none --model D/sft --out none

# ---- a policy of it, and what people say of the policy
expect 0 ppo --model D/sft --reward-model D/reward --prompts prompts.jsonl \
    --iterations 2 --batch 8 --max-new 16 --norm-prompts 8 --out D/ppo
expect 0 eval D --n-prompts 24 --samples 4 --max-new 16
expect 0 label load D/human/people.db D --pool spot --task spotcheck --seed 3
open D/human/people.db
visit ada careful D/human/people.db D/eval/samples.jsonl --votes 8
visit bob careful D/human/people.db D/eval/samples.jsonl
close
expect 0 label audit D/human/people.db

# ---- which is in the diagnosis with nothing done by hand
expect 0 diagnose D --json
cp out people.json
holds jq -e '[.lost[] | select(.what == "human/spotcheck.jsonl")] == []' \
    people.json
holds jq -e '.observations[] | select(.id == "S2b") | .n > 0 and
    (.text | test("12 policy, 12 placebo pairs"))' people.json
mv D/human/people.db elsewhere.db
expect 0 diagnose D --json
holds jq -e '.observations[] | select(.id == "S2b") | .verdict ==
    "not_measurable" and .estimate == null' out

finish
