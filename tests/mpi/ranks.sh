#!/bin/sh
# ranks.sh PLUMB - what ranks compute has the bytes of one process: sft, reward,
# ppo and eval of a tiny model on 1, 2 and 3 ranks, file by file; a rank that
# is killed ends the job, and another number of ranks goes on; what is refused
# is refused once, with one exit code.
here=$(cd "$(dirname "$0")" && pwd)
command -v mpirun >/dev/null 2>&1 || exec sh "$here/under.sh"
. "$here/../cli/check.sh"
SOURCE_DATE_EPOCH=1000000000 # time stands still: every byte can be compared
export SOURCE_DATE_EPOCH
shape='--channels 16 --layers 1 --heads 2 --kv-heads 1 --feed-forward 16'

threads='--threads 1'
# ranks N CODE ARGUMENTS...: the same as expect, as a job of N ranks.
ranks() {
    n=$1
    wanted=$2
    shift 2
    checks=$((checks + 1))
    # shellcheck disable=SC2086 # a list of words
    timeout 100 sh "$here/under.sh" "$n" "$plumb" "$@" $threads \
        >out 2>errors </dev/null
    got=$?
    if [ "$got" -ne "$wanted" ]; then
        echo "$n ranks: plumb $*: exit $got, wanted $wanted"
        cat errors
        bad=$((bad + 1))
    fi
}

# Everything but the clock's files and the lock, which names the process.
same() {
    diff -r -x LOCK -x timing.jsonl -x 'events.out.*' "$1" "$2"
}

# on_ranks "1 2 3" COMMAND...: as one process, then on so many ranks.
on_ranks() {
    counts=$1
    shift
    rm -rf alone
    expect 0 "$@" --out alone --threads 2
    for count in $counts; do
        rm -rf shared
        ranks "$count" 0 "$@" --out shared
        holds same alone shared
        # The user reads a thing once.
        holds [ "$(grep -c '^==' errors)" -le 1 ]
    done
}

expect 0 world tokenizer --out desk
expect 0 world demos --demos 100 --out demos.jsonl
expect 0 world tickets --split ranking --tickets 12 --out ranked.jsonl
expect 0 world tickets --split ppo --tickets 24 --out prompts.jsonl
# shellcheck disable=SC2086 # a list of words
on_ranks '1 2 3' sft --data demos.jsonl --tokenizer desk $shape --epochs 1
mv alone sft
# shellcheck disable=SC2086
on_ranks 2 sft --data demos.jsonl --tokenizer desk $shape --epochs 1 \
    --compute bf16
holds sh -c '! cmp -s sft/metrics.jsonl shared/metrics.jsonl'
on_ranks 2 sft --data demos.jsonl --model sft --lora-rank 2 --epochs 1 \
    --shards 5
expect 0 generate -m sft --prompts ranked.jsonl --samples 3 --max-new 12 \
    --out candidates.jsonl
expect 0 world rank --data candidates.jsonl --out rankings.jsonl
on_ranks 3 reward --data rankings.jsonl --model sft --heads 2 --batch 5 \
    --shards 3
on_ranks 3 reward --data rankings.jsonl --model sft --holdout 0.3 \
    --batch 4 --epochs 2
mv alone reward

cat >ppo.yaml <<'Y'
ppo:
  model: sft
  reward_model: reward
  prompts: prompts.jsonl
  iterations: 6
  batch: 20
  max_new: 12
  norm_prompts: 20
  save_every: 2
Y
on_ranks 2 ppo -c ppo.yaml --iterations 2 --value-trunk --shards 3
on_ranks 2 ppo -c ppo.yaml --iterations 2 --lora-rank 2
on_ranks 2 ppo -c ppo.yaml --iterations 2 --compute bf16
holds grep -q '^compute: bf16' shared/config.yaml
on_ranks '2 3' ppo -c ppo.yaml
mv alone whole
rm -rf shared
ranks 2 0 ppo -c ppo.yaml --reduce bf16 --out shared
holds grep -q '^reduce: bf16' shared/config.yaml
holds sh -c '! cmp -s whole/metrics.jsonl shared/metrics.jsonl'

rm -rf shared
expect 0 eval whole --n-prompts 20 --samples 2 --max-new 12 --top-p 0.9 \
    --out alone
ranks 3 0 eval whole --n-prompts 20 --samples 2 --max-new 12 --top-p 0.9 \
    --out shared
holds same alone shared

# A diagnosis is rank 0's, and what it writes and says that of one process.
rm -rf alone shared
mkdir alone shared
expect 0 diagnose whole
mv diagnosis.json report.html out alone
ranks 2 0 diagnose whole
mv diagnosis.json report.html out shared
holds same alone shared
holds [ -s shared/diagnosis.json ]

# Ranks whose products round otherwise would part ways.
cat >mixed.sh <<'S'
[ "$OMPI_COMM_WORLD_RANK" != 1 ] || export ONEDNN_MAX_CPU_ISA=SSE41
exec "$@"
S
for command in 'ppo -c ppo.yaml --out mixed' 'eval whole --out mixed'; do
    checks=$((checks + 1))
    # shellcheck disable=SC2086 # a list of words
    timeout 100 sh "$here/under.sh" 2 sh mixed.sh "$plumb" $command \
        >out 2>errors </dev/null
    holds [ $? -eq 4 ]
    says errors 'rank 1 of 2'
    says errors ONEDNN_MAX_CPU_ISA
    holds [ ! -e mixed ]
done

# The last of a process's children.
child_of() {
    ps -o pid= --ppid "$1" | tail -n 1 | tr -d ' '
}

# start N NAME ARGUMENTS...: a job in the background, of which we wait for a
# checkpoint; `launcher` is mpirun.
start() {
    n=$1
    name=$2
    shift 2
    timeout 100 sh "$here/under.sh" "$n" "$plumb" "$@" --out "$name" \
        --threads 1 >out 2>errors </dev/null &
    job=$!
    while [ ! -d "$name/checkpoints/000004" ]; do
        kill -0 $job 2>/dev/null || break
        sleep 0.02
    done
    launcher=$(child_of $job)
}

# A rank is killed: the job ends by itself, not well, and says so; it goes on
# on another number of ranks, and on none.
expect 0 ppo -c ppo.yaml --iterations 20 --out long
for last in 2 1; do
    rm -rf killed
    start 3 killed ppo -c ppo.yaml --iterations 20
    kill -9 "$(child_of "$launcher")"
    wait $job
    holds [ $? -gt 2 ]
    says errors 'signal 9 (Killed)'
    holds [ ! -e killed/result.json ]
    ranks $last 0 ppo -c ppo.yaml --iterations 20 --out killed --resume
    holds same long killed
done
expect 0 ppo -c ppo.yaml --iterations 20 --out killed --resume
holds same long killed

# A stop is agreed on: a checkpoint, one word on how to go on, one code.
# mpirun hands SIGUSR1 on, and ends the job itself on SIGINT and SIGTERM.
rm -rf stopped
start 2 stopped ppo -c ppo.yaml --iterations 20
kill -USR1 "$launcher"
wait $job
holds [ $? -eq 138 ]
holds [ "$(grep -c -e --resume errors)" -ge 1 ]
holds [ "$(grep -c '^plumb:' errors)" -eq 1 ]
ranks 3 0 ppo -c ppo.yaml --iterations 20 --out stopped --resume
holds same long stopped

# Refused once, with the code of one process.
ranks 3 2 ppo -c ppo.yaml --shards 2 --out none
says errors '--shards 3'
holds [ "$(grep -c '^plumb:' errors)" -eq 1 ]
holds [ ! -e none ]
ranks 2 2 label project.db
says errors 'for one process'
ranks 2 5 ppo -c ppo.yaml --model absent --out none
holds [ "$(grep -c '^plumb:' errors)" -eq 1 ]
ranks 2 2 ppo -c ppo.yaml --betta 3 --out none
holds [ "$(grep -c '^plumb:' errors)" -eq 1 ]
ranks 2 2 ppo -c ppo.yaml --out long
says errors 'holds a run already'
ranks 2 0 ppo -c ppo.yaml --dry-run --out none
holds [ "$(grep -c 'reward_model:' out)" -eq 1 ]
ranks 2 0 inspect long

# Files of another trainer's run are shared out; the project is the same.
threads= # it has none
mkdir logs
for step in 1 2 3 4 5; do
    for i in 1 2 3; do
        echo "{\"input\":\"question $i\",\"output\":\"answer $step $i\"," \
            "\"score\":0.$step,\"step\":$step}"
    done >"logs/$step.jsonl"
done
echo none of these >logs/notes.txt
rm -rf alone
expect 0 import verl logs --out alone
for count in 2 3; do
    rm -rf shared
    ranks "$count" 0 import verl logs --out shared
    holds same alone shared
    holds [ "$(grep -c 'Written to' out)" -eq 1 ]
done
echo '{"input":"cut' >>logs/4.jsonl
ranks 2 4 import verl logs --out cut
says errors 'logs/4.jsonl:4'
holds [ "$(grep -c '^plumb:' errors)" -eq 1 ]
finish
