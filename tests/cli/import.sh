#!/bin/sh
# import.sh PLUMB - other people's files become records, parts of them, and
# what was left out is said; a stage trains on them.
here=$(cd "$(dirname "$0")" && pwd)
. "$here/check.sh"

printf 'q,a,topic\r\nwhere is it?,"here, ""now""",x\r\n"two\nlines",b,y\r\n' >t.csv
gzip -k t.csv
expect 0 import t.csv.gz --prompt-column q --response-column a \
    --extra-columns topic --out t.jsonl --json
holds jq -e '.schema == "plumb.import/1" and .read == 2 and .written == 2 and
    .format == "plumb"' out
holds [ "$(jq -r .response t.jsonl | head -1)" = 'here, "now"' ]
holds [ "$(jq -r .topic t.jsonl | tail -1)" = y ]
expect 0 import t.csv --prompt-column q
holds [ "$(wc -l <out)" -eq 2 ]
expect 2 import t.csv
says errors 'import.prompt_column is not set'
expect 2 import t.csv --prompt-column question
says errors "no column 'question'; there are q, a, topic"
expect 2 import t.csv --prompt-column q --chosen-column a
says errors 'chosen and rejected responses are needed together'
printf 'q\ta\nx\ty\n' >t.tsv
expect 2 import t.tsv --prompt-column q
says errors 'the columns are separated by tabs: --format tsv'
expect 0 import t.tsv --prompt-column q --format tsv
expect 5 import absent.csv --prompt-column q
expect 4 import t.csv --prompt-column q --format json
expect 2 import t.csv --prompt-column q --json
says errors '--json prints what was written to --out, which is not set'

# Nothing is too long for a file of texts: that has a meaning for stages only.
expect 2 import t.csv --prompt-column q --too-long skip
says errors "unknown option '--too-long'"
expect 2 import t.csv --prompt-column q --set data.too_long=skip
says errors '--set data.too_long: not a setting of plumb import'
expect 0 import --help
holds sh -c '! grep -q too-long out'

# Parts of one order are disjoint and together the whole.
i=0
while [ $i -lt 20 ]; do
    echo "{\"prompt\":\"p$((i / 2))\",\"chosen\":\"a\",\"rejected\":\"b\"}"
    i=$((i + 1))
done >pairs.jsonl
expect 0 import pairs.jsonl --shuffle-seed 7 --take 12
cp out one
expect 0 import pairs.jsonl --shuffle-seed 7 --skip 12
cat one out | sort >both
expect 0 import pairs.jsonl
sort out >whole
holds cmp both whole
expect 0 import pairs.jsonl --shuffle-seed 7
cp out first
expect 0 import pairs.jsonl --shuffle-seed 8
checks=$((checks + 1))
if cmp -s first out; then
    echo 'two seeds give one order'
    bad=$((bad + 1))
fi
expect 0 import pairs.jsonl --unique
holds [ "$(wc -l <out)" -eq 10 ]
says errors '20 records read; skipped: 0 bad, 0 without use, 10 with a prompt'

# Bad records: none without leave, and no more than that.
{ cat pairs.jsonl; echo '{"prompt":"p","chosen":"a"}'; echo 'x'; } >bad.jsonl
expect 4 import bad.jsonl
says errors "bad.jsonl:21: the record's format is plumb, the file's is pair"
expect 4 import bad.jsonl --skip-bad 1
says errors 'more than 1 bad records: bad.jsonl:22: '
expect 0 import bad.jsonl --skip-bad 2 --out good.jsonl
says errors 'skipped a bad record: bad.jsonl:22'
holds [ "$(wc -l <good.jsonl)" -eq 20 ]

# A key that is named and not there is no reason to take another one.
expect 4 import pairs.jsonl --prompt-key promt
says errors 'pairs.jsonl:1: "promt" is missing, which is to stand for "prompt"'
expect 0 import pairs.jsonl --prompt-key rejected
holds [ "$(jq -r .prompt out | sort -u)" = b ]
expect 2 import t.csv --prompt-column q --prompt-key q
says errors '--prompt-key and its like are for records'

# A stage reads the same files, says what it skipped, and records it.
expect 0 world tokenizer --out desk
expect 0 world demos --demos 40 --out demos.jsonl
jq -c '{messages:[{role:"user",content:.prompt},
    {role:"assistant",content:.response}]}' demos.jsonl >chat.jsonl
echo '{"text":"x"}' >>chat.jsonl
zstd -q chat.jsonl
shape='--channels 8 --layers 1 --heads 2 --kv-heads 1 --feed-forward 8'
# shellcheck disable=SC2086 # a list of words
expect 4 sft --data chat.jsonl.zst --tokenizer desk $shape --epochs 1 --out sft
says errors "chat.jsonl.zst:41: the record's format is text"
# shellcheck disable=SC2086
expect 0 sft --data chat.jsonl.zst --tokenizer desk $shape --epochs 1 \
    --out sft --skip-bad 1 --max-tokens 60 --too-long skip
says errors '41 records read; skipped: 1 bad, '
holds jq -e '.data.format == "messages" and .data.read == 41 and
    .data.skipped_bad == 1 and .data.chat_template == "support" and
    .data.skipped_too_long + .training_records + .heldout_records == 40' \
    sft/result.json
says sft/config.yaml 'skip_bad: 1'
says sft/config.yaml 'too_long: skip'

# Pairs as lists of messages, with a file of their own held out; prompts that
# are dialogues; what it all became is recorded, and repeats.
jq -c -s '[.[:-1], .[1:]] | transpose[] | {
    prompt: [{role: "user", content: .[0].prompt}],
    chosen: [{role: "assistant", content: .[0].response}],
    rejected: [{role: "assistant", content: .[1].response}],
    annotator: "a"}' demos.jsonl >rank.jsonl
head -24 rank.jsonl | gzip >train.jsonl.gz
tail -10 rank.jsonl >heldout.jsonl
expect 0 reward --data train.jsonl.gz --heldout heldout.jsonl -m sft \
    --epochs 1 --out reward
says errors 'train.jsonl.gz: 34 records read; skipped: 0 bad'
holds jq -e '.training_prompts == 24 and .heldout_prompts == 10 and
    .data.format == "pair"' reward/result.json
expect 0 reward -c reward/config.yaml --out reward2
holds cmp reward/metrics.jsonl reward2/metrics.jsonl
# A pair of one text ranks nothing; the rest of the file is good.
{ cat heldout.jsonl; head -1 heldout.jsonl | jq -c '.rejected = .chosen'; } \
    >same.jsonl
expect 0 reward --data train.jsonl.gz --heldout same.jsonl -m sft \
    --epochs 1 --out reward3
says errors 'same.jsonl: left out 1 rankings whose responses are one text'
holds jq -e '.heldout_prompts == 10 and .data.read == 35 and .data.unused == 1' \
    reward3/result.json
holds cmp reward/metrics.jsonl reward3/metrics.jsonl
jq -c '{prompt: [{role: "user", content: .prompt},
    {role: "assistant", content: .response},
    {role: "user", content: .prompt}]}' demos.jsonl | head -8 >talk.jsonl
expect 0 generate -m sft --prompts talk.jsonl --max-new 4
holds [ "$(jq -c '.prompt | map(.role) | join(" ")' out | sort -u)" = \
    '"user assistant user"' ]
expect 0 score -m reward --data heldout.jsonl --json
expect 2 sft --data demos.jsonl --tokenizer desk --out no --chat llama2
says errors "chat template 'llama2' is not known; known: none, support, chatml"
finish
