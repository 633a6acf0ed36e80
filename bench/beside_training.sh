#!/bin/sh
# How much fifty judges slow a training run down that shares their machine.
#
#     bench/beside_training.sh [RELEASE [DIR]]     ROUNDS=5  EPOCHS=20  RATE=0.2
#
# A round is four equal runs of `plumb sft`: without, with, with, without the
# judges, so that what a machine does more slowly from run to run counts on
# both sides alike.  Its ratio is the time of the two in the middle by that of
# the other two; what the last run took by the first, both being without
# judges, says how far two equal runs differ on this machine at this time.  A
# ratio is worth no more than that.  DIR is where both write.
set -eu

release=${1:-build/release}
dir=${2:-$release}
rounds=${ROUNDS:-5}
release=$(cd "$release" && pwd)
work=$(mktemp -d "$(cd "$dir" && pwd)/beside-training-XXXXXX")
load=
trap 'test -z "$load" || kill "$load" || :; cd /; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
cd "$work"

"$release/plumb" world tokenizer --out desk >log 2>&1
"$release/plumb" world demos --demos 400 --out demos.jsonl >log 2>&1
cat >sft.yaml <<YAML
sft:
  data: demos.jsonl
  tokenizer: desk
  epochs: ${EPOCHS:-20}
  batch: 16
  save_every: 100000
  log_every: 1
  channels: 64
  layers: 2
  heads: 4
  kv_heads: 2
  feed_forward: 128
YAML

# Seconds that a run takes.
train() {
    rm -rf run
    from=$(date +%s.%N)
    "$release/plumb" sft -c sft.yaml --out run >log 2>&1
    echo "$(date +%s.%N) $from" | awk '{printf "%.3f", $1 - $2}'
}

# The judges vote from when the disk was timed; they last for as long as a
# round may.
begin_load() {
    : >judges
    "$release/bench/bench_label" . 900 "${RATE:-0.2}" >judges 2>&1 &
    load=$!
    until grep -q before judges; do
        kill -0 "$load"
        sleep 0.1
    done
    sleep 2
}

end_load() {
    kill "$load"
    wait "$load" || { cat judges >&2; exit 1; } # a vote was lost
    load=
}

train >/dev/null # once, for caches
i=0
while [ "$i" -lt "$rounds" ]; do
    first=$(train)
    begin_load
    second=$(train)
    third=$(train)
    end_load
    fourth=$(train)
    echo "$first $second $third $fourth" >>times
    tail -n 1 times | awk '{printf "without %6.2f s  with %6.2f s  " \
        "with %6.2f s  without %6.2f s  ratio %.3f  equal runs %.3f\n",
        $1, $2, $3, $4, ($2 + $3) / ($1 + $4), $4 / $1}'
    grep -E '^(acknowledged|opened)' judges >>said
    i=$((i + 1))
done

# The median, and between which two of the sorted ratios it lies in 95 of 100
# such measurements (order statistics; 1 and n where there are too few).
median() {
    sort -g | awk '{x[NR] = $1} END {n = int((NR + 1) / 2)
        k = int((NR - 1.96 * sqrt(NR)) / 2); k = k < 1 ? 1 : k
        printf "%.3f [%.3f, %.3f] of %d", (x[n] + x[NR + 1 - n]) / 2, x[k],
            x[NR + 1 - k], NR}'
}
echo "median ratio with judges   $(awk '{print ($2 + $3) / ($1 + $4)}' times |
    median)"
echo "median ratio of equal runs $(awk '{print $4 / $1}' times | median)"
sort said | uniq -c
