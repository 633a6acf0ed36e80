#!/bin/sh
# import_people.sh PLUMB - what people and judges said becomes votes of a
# project: whose, about which model, and what is asked where a file does not
# say.
here=$(cd "$(dirname "$0")" && pwd)
. "$here/check.sh"
data=$here/../data/import

expect 0 import --sniff "$data/label_studio/export.json" --json
holds jq -e '.format == "label-studio" and .confidence > 0.9' out

# Which model is which: asked for, with the names, and nothing is left behind.
expect 2 import arena "$data/arena/battles.jsonl" --out run
says errors "its models are heron, stork, wren"
expect 2 import arena "$data/arena/battles.jsonl" --policy robin \
    --reference heron --out run
says errors 'no reply or pair of --policy and --reference is here'
expect 0 import arena "$data/arena/battles.jsonl" --policy stork \
    --reference heron --out run
says out '1 skipped'
holds jq -e -s 'length == 3 and .[0].judge_kind == "human" and
    .[0].right.source == "policy" and .[0].overall == "B"' \
    run/human/spotcheck.jsonl
holds jq -e -s 'length == 1 and .[0].judge_kind == "model"' \
    run/judge/votes.jsonl
holds jq -e '.fields | map(select(.from == "winner" and .n == 5)) | length == 1' \
    run/import.json

# Every other model is the reference.
expect 0 import arena "$data/arena/battles.jsonl" --policy heron \
    --reference '*' --out all
holds jq -e -s 'map(.pair_id) | index("q4/wren") != null' \
    all/human/spotcheck.jsonl

# Who judged: asked for, or said against the format.
expect 2 import pairs "$data/pairs/words.jsonl" --out words
says errors '--judge-kind'
expect 0 import pairs "$data/pairs/words.jsonl" --judge-kind script \
    --out words
holds [ "$(jq -r .judge_kind words/judge/votes.jsonl | sort -u)" = script ]
holds [ ! -e words/human/spotcheck.jsonl ]
expect 0 import alpaca-eval "$data/alpaca/annotations.json" --out as_human \
    --judge-kind human
holds [ "$(wc -l <as_human/human/spotcheck.jsonl)" -eq 4 ]

# A table of names of its own.
expect 0 import pairs "$data/pairs/named.csv" --judge-kind human --out named \
    --map 'prompt=task,response_a=first reply,response_b=second reply' \
    --map winner=better --map judge=who,rationale=because \
    --policy 'second reply'
holds jq -e -s 'length == 2 and .[0].overall == "B" and
    .[0].judge == "ida" and .[0].rationale == "It fits." and
    .[1].overall == "tie"' named/human/spotcheck.jsonl

# Files of one model each.
expect 0 import alpaca-farm "$data/alpaca" --policy rlhf --reference sft \
    --out farm
holds [ "$(jq -r .which farm/eval/samples.jsonl | grep -c policy)" -eq 2 ]

# The options are for comparisons, and wrong input is said with its place.
printf 'q,a\nx,y\n' >t.csv
expect 2 import t.csv --prompt-column q --policy x
says errors 'import.policy is for runs'
head -c 700 "$data/alpaca/annotations.json" >cut.json
expect 4 import alpaca-eval cut.json --out cut
says errors 'cut.json:'
expect 5 import alpaca-eval absent.json --out absent

# A diagnosis in one go.
expect 0 diagnose --import label-studio "$data/label_studio/export.json" \
    --policy answer2 --reference answer1 --json
holds jq -e '.schema' out
finish
