#!/bin/sh
# import_runs.sh PLUMB - runs of other trainers become projects, and are
# diagnosed without one; what is wrong with them is said with its place.
here=$(cd "$(dirname "$0")" && pwd)
. "$here/check.sh"
data=$here/../data/import

expect 0 import --sniff "$data/verl/rollouts/1.jsonl" --json
holds jq -e '.format == "verl" and .kind == "rollouts" and
    .confidence > 0.9 and .rows_sampled == 3 and
    (.fields | index("output") != null)' out
expect 0 import --sniff "$data/logs/tldr.txt" "$data/trl/table.csv"
says out 'tldr, log'
says out 'trl, table (CSV)'

# A folder of dumps and the log beside it are one run.
expect 0 import verl "$data/verl/rollouts" "$data/verl/log/metrics.jsonl" \
    --out run --map gold=acc
says out 'verl: 5 rows of 3 files, steps 1 to 2'
says out 'trainer.validation_data_dir=DIR'
holds [ -f run/ppo/rollouts/000002.jsonl.zst ]
holds [ ! -e run/import.state ]
holds jq -e '.format == "verl" and .rows.out == 5 and
    (.fields[] | select(.from == "score") | .to == "score") and
    (.kl[] | select(.name == "actor/kl_loss") | .aggregate == "token_mean") and
    ([.missing[].id] | index("human") != null)' run/import.json
holds jq -e -s '.[0]["objective/scores"] == 0.5' run/ppo/metrics.jsonl
expect 0 inspect run/ppo/rollouts/000002.jsonl.zst

# What is there is not lost unasked; the same again has the same bytes.
expect 2 import verl "$data/verl/rollouts" --out run
says errors '--overwrite starts again'
cp run/ppo/rollouts/000001.jsonl.zst one
expect 0 import verl "$data/verl/rollouts" "$data/verl/log/metrics.jsonl" \
    --out run --map gold=acc --overwrite --json
holds cmp one run/ppo/rollouts/000001.jsonl.zst
holds cmp out run/import.json
mkdir -p mine/ppo
expect 2 import verl "$data/verl/rollouts" --out mine
says errors 'is a project already'

# Stopped by a damaged file, gone on with once it is whole.
mkdir cut
cp "$data/verl/rollouts/1.jsonl" cut/
{ sed 1q "$data/verl/rollouts/2.jsonl"; echo '{"input":'; sed 1d \
    "$data/verl/rollouts/2.jsonl"; } >cut/2.jsonl
expect 4 import verl cut --out resumed --map gold=acc
says errors 'cut/2.jsonl:2: '
holds [ -f resumed/import.state/000000/done.json ]
cp "$data/verl/rollouts/2.jsonl" cut/
expect 0 import verl cut --out resumed --map gold=acc --resume
holds cmp one resumed/ppo/rollouts/000001.jsonl.zst

# Bad rows are left out when asked for, each counted; a row within which a
# file ends always is.
{ sed 1q "$data/verl/rollouts/2.jsonl"; echo '{"input":'; sed 1d \
    "$data/verl/rollouts/2.jsonl"; echo nonsense; } >cut/2.jsonl
expect 4 import verl cut --out skipped --skip-bad 1
says errors 'cut/2.jsonl:4: '
expect 0 import verl cut --out skipped --overwrite --skip-bad 2
says out '2 skipped'
says out 'rows that cannot be read are left out, as --skip-bad says'
expect 0 diagnose --import verl cut --skip-bad 2 --json
head -c 300 "$data/verl/rollouts/2.jsonl" >cut/2.jsonl
expect 0 import verl cut --out ended
says out 'the file ends within a row'
holds jq -e '.rows.skipped == 1 and
    (.warnings[] | select(.id == "line_cut") | .n == 1)' ended/import.json
cp "$data/verl/rollouts/2.jsonl" cut/

# A field that no row has.
expect 2 import verl cut --out x --map score=nope
says errors 'no row has a field "nope"; there are'
says errors 'output'
holds [ ! -e x/import.json ]
printf 'question,text,points\na,b,1\n' >strange.csv
expect 2 import csv strange.csv --out x --map response=text,score=pts
says errors 'there are'
says errors 'points'

# What is like nothing: the fields, and how to name them.  A folder is looked
# at file by file, and a name's control characters are not obeyed.
expect 0 import --sniff strange.csv
says out 'no format that is known'
says out 'its fields: question, text, points'
says out 'plumb import csv strange.csv --map prompt=FIELD'
odd=$(printf 'odd\033[31m.csv')
cp strange.csv "$odd"
expect 0 import --sniff "$odd"
says out 'odd?[31m.csv'
holds [ "$(tr -cd '\033' <out | wc -c)" -eq 0 ]
mkdir deep
cp "$data/verl/rollouts/1.jsonl" deep/
expect 0 import --sniff "$data/verl/log" deep
says out 'deep/1.jsonl: verl, rollouts'
says out 'verl, file logger'

# Another trainer's file in place of a project.
expect 2 diagnose "$data/trl/trainer_state.json"
says errors 'plumb diagnose --import auto'

# Wrong words.
expect 2 import verll cut --out x
says errors "did you mean 'verl'"
expect 2 import verl --out x
says errors 'files or folders are wanted'
expect 2 import verl cut
says errors '--out is not set'
expect 2 import verl cut --out x --map score
says errors 'OURS=THEIRS'
expect 2 import verl cut --out x --map points=score
says errors 'no field of ours'
expect 2 import verl cut --out x --take 3
says errors 'import.take is for data sets'
expect 2 import "$data/generic/table.tsv" --overwrite --prompt-column prompt
says errors 'overwrite is for runs'
expect 5 import verl nowhere --out x

# What is not read is said, with what would make it readable.
printf 'PAR1....PAR1' >completions_00001.parquet
expect 4 import trl completions_00001.parquet --out x
says errors 'pandas.read_parquet'
head -c 100 /dev/zero >zeros
expect 4 import auto zeros --out x
says errors 'does not look like'

# A few bytes that expand to a line of a thousand million: an error, and no
# memory.  Sanitizers reserve more addresses than there are to be had.
head -c 1000000000 /dev/zero | tr '\0' x | gzip -1 >bomb.jsonl.gz
if (ulimit -v 4000000 && "$plumb" version) >/dev/null 2>&1; then
    ulimit -v 4000000
fi
expect 4 import jsonl bomb.jsonl.gz --out x --map response=a

# The same without a project: nothing is left behind.
mkdir temporary
TMPDIR=$PWD/temporary
export TMPDIR
expect 0 diagnose --import deepspeed-chat "$data/logs/deepspeed.log" --json
holds jq -e '.verdict == "inconclusive"' out
expect 2 diagnose --import verll cut
says errors "did you mean 'verl'"
expect 4 diagnose --import auto zeros
holds [ -z "$(ls temporary)" ]
expect 2 diagnose run run
says errors '--import FORMAT'
finish
