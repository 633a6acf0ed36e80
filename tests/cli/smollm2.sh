#!/bin/sh
# smollm2.sh PLUMB [CASES] - the real model: its tokenizer, its chat template
# and its greedy replies are those of transformers (tools/
# make_smollm2_golden.py).  Skipped when tools/get-smollm2.sh has not put the
# model into the user's cache.
model=${XDG_CACHE_HOME:-$HOME/.cache}/plumb/models/SmolLM2-135M-Instruct.Q4_1.gguf
here=$(cd "$(dirname "$0")" && pwd)
. "$here/check.sh"
golden=$(cd "$here/../data/smollm2" && pwd)/greedy.json

if [ ! -f "$model" ]; then
    echo "skipped: tools/get-smollm2.sh has not been run: no $model"
    exit 77
fi
if [ "$(sha256sum "$model" | cut -c1-64)" != "$(jq -r .sha256 "$golden")" ]; then
    echo "skipped: $model is not the file the vectors were made from"
    exit 77
fi

expect 0 inspect "$model" --json
holds jq -e '.kind == "gguf" and .architecture == "llama" and
    .parameters == 134515008 and .tokenizer.size == 49152' out

mkdir around
ln -s "$model" around/model.gguf
expect 0 inspect around --json
holds jq -e '.kind == "gguf"' out

# A plan without training.
echo '{"prompt":"Where is it?","response":"Here."}' >demo.jsonl
expect 0 sft -m "$model" --data demo.jsonl --batch 1 --lora-rank 2 --dry-run \
    --out absent
says out '# 134515008 parameters'

# Texts to ids and back, all of them.
jq -r '.cases[] | select(.chat == "none") | .prompt' "$golden" |
    "$plumb" tokenize -m "$model" >/dev/null
holds [ $? -eq 0 ]
i=0
n=$(jq '.cases | length' "$golden")
while [ $i -lt "$n" ]; do
    jq -j ".cases[$i].prompt" "$golden" >prompt
    if [ "$(jq -r ".cases[$i].chat" "$golden")" = none ]; then
        "$plumb" tokenize -m "$model" --raw --json <prompt >ids
        holds [ "$(cat ids)" = "$(jq -c ".cases[$i].prompt_ids" "$golden")" ]
        "$plumb" tokenize -m "$model" --raw --decode <ids >back
        holds cmp prompt back
    fi
    i=$((i + 1))
done

# Greedy replies, token for token; logits agree with them.
i=0
step=$(((n + ${2:-$n} - 1) / ${2:-$n}))
while [ $i -lt "$n" ]; do
    jq ".cases[$i]" "$golden" >case
    chat=$(jq -r .chat case)
    expect 0 generate -m "$model" --prompt "$(jq -r .prompt case)" --chat "$chat" --greedy --max-new 64 --json
    holds [ "$(jq -c .prompt_ids out)" = "$(jq -c .prompt_ids case)" ]
    holds [ "$(jq -c .response_ids out)" = "$(jq -c .response_ids case)" ]
    holds [ "$(jq .text out)" = "$(jq .text case)" ]
    if [ $i -eq 0 ]; then
        expect 0 inspect "$model" --logits --json --prompt-ids \
            "$(jq -c .prompt_ids case)"
        holds [ "$(jq .top[0].id out)" = "$(jq .response_ids[0] case)" ]
    fi
    i=$((i + step))
done
finish
