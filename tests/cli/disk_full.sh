#!/bin/sh
# disk_full.sh PLUMB - a stage whose disk fills up says so, keeps its earlier
# checkpoint and, once there is room, ends with the bytes of a run that had it
# from the start.
#
# The disk is a limit on the size of a file, in blocks of 512 bytes; with
# SIGXFSZ ignored a write beyond it fails as one on a full disk does.
. "$(dirname "$0")/check.sh"
SOURCE_DATE_EPOCH=1000000000
export SOURCE_DATE_EPOCH
roomy=$plumb
cat >tight <<X
#!/bin/sh
trap '' XFSZ
ulimit -f "\$BLOCKS"
exec "$roomy" "\$@"
X
chmod +x tight

expect 0 world tokenizer --out desk
expect 0 world demos --demos 60 --out demos.jsonl
cat >sft.yaml <<'X'
sft:
  data: demos.jsonl
  tokenizer: desk
  epochs: 20
  batch: 4
  save_every: 20
  log_every: 1
  channels: 16
  layers: 1
  heads: 2
  kv_heads: 1
  feed_forward: 16
X
expect 0 sft -c sft.yaml --out whole
same() {
    diff -r -x LOCK -x timing.jsonl -x 'events.out.*' "$1" "$2"
}

# From no room for a log to room for the weights, not for the moments.
for blocks in 1 2 4 16 64 150; do
    BLOCKS=$blocks
    export BLOCKS
    rm -rf run
    plumb=./tight
    expect 1 sft -c sft.yaml --out run
    says errors 'run/'
    says errors 'File too large'
    plumb=$roomy
    expect 0 sft -c sft.yaml --out run --resume
    holds same whole run
done

# The same in the middle of a run: stopped after a checkpoint, resumed without
# room.  What it had generates, and the run ends as if nothing had happened.
for attempt in 1 2 3 4 5; do
    rm -rf run
    "$plumb" sft -c sft.yaml --out run >/dev/null 2>&1 &
    pid=$!
    while [ ! -d run/checkpoints/000040 ]; do
        kill -0 $pid 2>/dev/null || break
        sleep 0.01
    done
    kill -TERM $pid 2>/dev/null
    wait $pid
    [ $? -eq 143 ] && break
done
holds [ "$attempt" -lt 5 ]
find run/checkpoints -type f -exec sha256sum {} + >before
plumb=./tight
BLOCKS=150
expect 1 sft -c sft.yaml --out run --resume
says errors 'File too large'
plumb=$roomy
holds sha256sum -c --quiet before
expect 0 generate -m run --prompt 'where is order #Q4?' --max-new 4
expect 0 sft -c sft.yaml --out run --resume
# (Where it was stopped stays a checkpoint that a run in one go lacks.)
holds cmp whole/metrics.jsonl run/metrics.jsonl
holds cmp whole/result.json run/result.json
newest=$(find whole/checkpoints -mindepth 1 -maxdepth 1 | sort | tail -1)
holds same "$newest" "run/checkpoints/${newest##*/}"
finish
