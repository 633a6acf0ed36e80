#!/bin/sh
# outside_peers.sh PLUMB REWARD|POLICY - the adapters of bench/peers as
# programs: a reward model of transformers, a server of /v1/completions.
# Skipped where what they need is not there.
peers=$(cd "$(dirname "$0")/../../bench/peers" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python3}
if [ -n "${PEERS:-}" ] && [ -z "${PYTHON:-}" ]; then
    python=$PEERS/bin/python
fi
needs='sys'
[ "$2" = reward ] && needs='torch, transformers'
if ! "$python" -c "import $needs" 2>/dev/null; then
    echo "$python has no $needs (bench/peers/setup.sh, PEERS=FOLDER): skipped"
    exit 77
fi
adapter=$2
. "$here/check.sh"

reward() {
    expect 0 world tokenizer --out desk
    expect 0 world demos --demos 40 --out demos.jsonl
    expect 0 world tickets --split ranking --tickets 12 --out asked.jsonl
    expect 0 sft --data demos.jsonl --tokenizer desk --epochs 1 --channels 16 \
        --layers 1 --heads 2 --kv-heads 1 --feed-forward 16 --out sft --quiet
    expect 0 generate -m sft --prompts asked.jsonl --samples 3 --max-new 12 \
        --out candidates.jsonl --quiet
    expect 0 world rank --data candidates.jsonl --out rankings.jsonl
    expect 0 reward --data rankings.jsonl --model sft --out reward --quiet
    expect 0 export reward --out folder --quiet
    # One model, read here and read by transformers: the same scores.
    expect 0 score -m folder --data rankings.jsonl --json --quiet
    mv out ours
    expect 0 score --data rankings.jsonl --json --quiet --reward-command \
        "$python $peers/reward_transformers.py folder"
    holds jq -en --slurpfile a ours --slurpfile b out \
        '[$a[].score[]] as $x | [$b[].score[]] as $y | ($x | length) == 36 and
        ($y | length) == 36 and
        all(range(36); $x[.] - $y[.] | fabs < 1e-4) and
        ($x | unique | length) > 5'
    expect 4 score --data rankings.jsonl --quiet --reward-command \
        "$python $peers/reward_transformers.py folder --max-tokens 3"
    says errors "are more than the model's 3"
    expect 4 score --data rankings.jsonl --quiet --reward-command \
        "$python $peers/reward_transformers.py nowhere"
    says errors "ended with exit status 1"
}

policy() {
    "$python" "$here/fake_openai.py" port >/dev/null 2>&1 &
    server=$!
    trap 'kill $server; rm -rf "$work"' EXIT
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        [ -s port ] && break
        sleep 0.25
    done
    url=http://127.0.0.1:$(cat port)
    ask="$python $peers/policy_openai.py --url $url"
    expect 0 generate --policy-command "$ask --logprobs" --prompt "say hello" \
        --temperature 0.5 --max-new 9 --json --quiet
    holds jq -e '.text == "hello 0.5 9" and .finish == "eos" and
        .response_ids[0] == 7 and .logp == [-0.5, -1.5]' out
    expect 0 generate --policy-command "$ask --before '<' --after ' long'" \
        --prompt "say hello" --json --quiet
    holds jq -e '.text == "long 1 96" and .finish == "length"' out
    i=0
    while [ $i -lt 30 ]; do
        echo "{\"id\":\"p$i\",\"prompt\":\"word w$i\"}"
        i=$((i + 1))
    done >prompts.jsonl
    expect 0 generate --policy-command "$ask" --prompts prompts.jsonl \
        --samples 2 --quiet --command-batch 8
    holds jq -es 'length == 30 and all(.[]; (.id | ltrimstr("p")) as $n |
        .responses == ["w\($n) 1 96", "w\($n) 1 96"])' out
    expect 4 generate --policy-command "$ask" --prompt "a bad word" --quiet
    says errors "it says: $url: HTTP Error 400"
    expect 4 generate --prompt a --quiet --policy-command \
        "$python $peers/policy_openai.py --url http://example.com"
    says errors "is not this machine"
}

$adapter
finish
