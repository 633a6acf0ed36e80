#!/bin/sh
# survival.sh PLUMB [KILLS] - a PPO run killed at random moments and resumed
# ends with the same bytes; signals, full disks and a second process do no
# harm; the number of threads changes nothing.
. "$(dirname "$0")/check.sh"
kills=${2:-20}
SOURCE_DATE_EPOCH=1000000000 # time stands still: every byte can be compared
export SOURCE_DATE_EPOCH
shape='--channels 16 --layers 1 --heads 2 --kv-heads 1 --feed-forward 16'

expect 0 world tokenizer --out desk
expect 0 world demos --demos 200 --out demos.jsonl
expect 0 world tickets --split ranking --tickets 12 --out ranked.jsonl
expect 0 world tickets --split ppo --tickets 64 --out prompts.jsonl
# shellcheck disable=SC2086 # a list of words
expect 0 sft --data demos.jsonl --tokenizer desk $shape --epochs 1 --out sft
expect 0 generate -m sft --prompts ranked.jsonl --samples 3 --max-new 12 \
    --out candidates.jsonl
expect 0 world rank --data candidates.jsonl --out rankings.jsonl
expect 0 reward --data rankings.jsonl --model sft --epochs 1 --out reward

cat >ppo.yaml <<'X'
ppo:
  model: sft
  reward_model: reward
  prompts: prompts.jsonl
  iterations: 30
  batch: 8
  max_new: 24
  norm_prompts: 8
  save_every: 3
X

# Everything but the clock's files and the lock, which names the process.
same() {
    diff -r -x LOCK -x timing.jsonl -x 'events.out.*' "$1" "$2"
}

started=$(date +%s%N)
expect 0 ppo -c ppo.yaml --out whole --threads 1
took_ms=$((($(date +%s%N) - started) / 1000000))
expect 0 ppo -c ppo.yaml --out two --threads 2
holds same whole two

# A random moment of the run, in seconds, from the system's randomness.
moment() {
    random=$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')
    ms=$((random % (took_ms + 1)))
    printf '%d.%03d' $((ms / 1000)) $((ms % 1000))
}

# timeout(1) says 137 when it had to kill, else what the run itself said.
interrupted=0
i=0
while [ "$i" -lt "$kills" ]; do
    i=$((i + 1))
    rm -rf killed
    timeout --foreground -s KILL "$(moment)" "$plumb" ppo -c ppo.yaml --out killed \
        >/dev/null 2>&1
    [ $? -eq 0 ] || interrupted=$((interrupted + 1))
    expect 0 ppo -c ppo.yaml --out killed --resume --threads 1
    holds same whole killed
done
echo "$interrupted of $kills runs were killed before their end"
holds [ "$interrupted" -gt 0 ]

# Killed again and again, it still comes to the same end.
rm -rf killed
i=0
while [ "$i" -lt 5 ]; do
    i=$((i + 1))
    timeout --foreground -s KILL "$(moment)" "$plumb" ppo -c ppo.yaml --out killed \
        --resume >/dev/null 2>&1
done
expect 0 ppo -c ppo.yaml --out killed --resume
holds same whole killed

# SIGINT and SIGTERM: a checkpoint, a word on how to go on, 130 and 143.
for signal in INT:130 TERM:143; do
    rm -rf stopped
    "$plumb" ppo -c ppo.yaml --iterations 100000 --out stopped 2>errors &
    pid=$!
    while [ ! -d stopped/checkpoints/000003 ]; do
        kill -0 $pid 2>/dev/null || break
        sleep 0.05
    done
    kill -s "${signal%:*}" $pid
    wait $pid
    holds [ $? -eq "${signal#*:}" ]
    says errors "--resume"
done

# Stopped and resumed, it ends with the same bytes, no checkpoint more.
rm -rf interrupted
"$plumb" ppo -c ppo.yaml --out interrupted 2>errors &
pid=$!
while [ ! -d interrupted/checkpoints/000003 ]; do
    kill -0 $pid 2>/dev/null || break
    sleep 0.02
done
kill -s INT $pid
wait $pid
holds [ $? -eq 130 ]
expect 0 ppo -c ppo.yaml --out interrupted --resume
holds same whole interrupted

# A command that cannot resume does not propose it.
"$plumb" world tickets --tickets 100000 --out many.jsonl
"$plumb" generate -m sft --prompts many.jsonl --out never.jsonl 2>errors &
pid=$!
sleep 0.5
kill -s INT $pid
wait $pid
holds [ $? -eq 130 ]
holds sh -c '! grep -q -e --resume errors'
holds [ ! -e never.jsonl ]

# A second process on the directory is told who holds it.
rm -rf held
"$plumb" ppo -c ppo.yaml --iterations 100000 --out held 2>/dev/null &
pid=$!
while [ ! -d held/checkpoints/000003 ]; do
    kill -0 $pid 2>/dev/null || break
    sleep 0.05
done
expect 1 ppo -c ppo.yaml --iterations 100000 --out held --resume
says errors "$pid"
kill -TERM $pid
wait $pid

# A checkpoint cut short or edited is named, and the run is not touched.
rm -rf edited && cp -r stopped edited
newest=$(find edited/checkpoints -maxdepth 1 -name '0*' | sort | tail -1)
truncate -s -8 "$newest/model.safetensors"
expect 4 ppo -c ppo.yaml --iterations 100000 --out edited --resume
says errors "model.safetensors"
expect 4 generate -m edited --prompt 'where is order #Q4?'

# No room: an error, and what was there can be gone on with.
if [ "$(id -u)" -eq 0 ] && mkdir small &&
    mount -t tmpfs -o size=300k tmpfs small 2>/dev/null; then
    expect 1 ppo -c ppo.yaml --out small/run
    umount small
fi

# A directory that cannot be written.
if [ "$(id -u)" -ne 0 ]; then
    mkdir closed && chmod 500 closed
    expect 1 ppo -c ppo.yaml --out closed/run
fi
finish
