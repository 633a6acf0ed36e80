#!/bin/sh
# config.sh PLUMB - settings files: what they say is used, recorded and can be
# used again; what is wrong is named with its place.
. "$(dirname "$0")/check.sh"

mkdir conf
expect 0 world tokenizer --out conf/desk
expect 0 world demos --demos 64 --out conf/demos.jsonl --json
holds jq -e '.sha256 | length == 64' out

cat >conf/sft.yaml <<'X'
seed: 3
sft:
  data: demos.jsonl     # relative to this file
  tokenizer: desk
  epochs: 1
  channels: 8
  layers: 1
  heads: 2
  kv_heads: 1
  feed_forward: 8
X

expect 0 sft -c conf/sft.yaml --batch 16 --set sft.lr=0.01 --out runs/a --json
holds jq -e '.schema and .plumb_version and .stage == "sft"' out
says runs/a/config.yaml "seed: 3"
says runs/a/config.yaml "batch: 16"
says runs/a/config.yaml "lr: 0.01"
says runs/a/config.yaml 'data: "../../conf/demos.jsonl"'
says runs/a/config.yaml "data_sha256:"
holds sh -c '! grep -q threads runs/a/config.yaml'

# The record repeats the run, from another directory and with other threads.
expect 0 sft -c runs/a/config.yaml --out runs/b --threads 1
holds cmp runs/a/config.yaml runs/b/config.yaml
holds cmp runs/a/metrics.jsonl runs/b/metrics.jsonl
checkpoint=$(ls runs/a/checkpoints | tail -1)
holds cmp "runs/a/checkpoints/$checkpoint/model.safetensors" \
    "runs/b/checkpoints/$checkpoint/model.safetensors"

# A dry run counts the updates that the run made: one of 64 is held out, and
# of the 63 left three batches can be filled.
expect 0 sft -c runs/a/config.yaml --out runs/dry --dry-run
says out "64 records, 3 updates"
holds [ "$checkpoint" = 000003 ]
expect 0 sft -c runs/a/config.yaml --out runs/dry --dry-run --json
holds jq -e '.schema == "plumb.plan/1" and .plumb_version and .updates == 3
    and .seconds > 0 and (.config | contains("batch: 16"))' out
# Two workers make 4 of 8 shards' buffers, and 6 where one falls behind.
expect 0 sft -c runs/a/config.yaml --out runs/dry --dry-run --json --shards 8 \
    --threads 2
holds jq -e '.straggler_bytes == 2 * 4 * .trainable' out
expect 0 sft -c runs/a/config.yaml --out runs/dry --dry-run --shards 8 \
    --threads 2
says out 'more when a worker falls far behind'
expect 0 sft -c runs/a/config.yaml --out runs/dry --dry-run --json --threads 1
holds jq -e '.straggler_bytes == 0' out

# The record says what products multiplied, never auto: the same where it is
# read again.
expect 0 sft -c conf/sft.yaml --out runs/auto --compute auto
holds grep -qxE 'compute: (f32|bf16)' runs/auto/config.yaml
holds sh -c '! grep -q auto runs/auto/config.yaml'
expect 0 sft -c runs/auto/config.yaml --out runs/again
holds cmp runs/auto/config.yaml runs/again/config.yaml
holds cmp runs/auto/metrics.jsonl runs/again/metrics.jsonl

# A run is not overwritten by accident, but on request.
expect 2 sft -c conf/sft.yaml --out runs/a
expect 0 sft -c conf/sft.yaml --out runs/b --overwrite
expect 0 sft -c conf/sft.yaml --out runs/b --resume
expect 4 sft -c conf/sft.yaml --out runs/b --resume --epochs 2

# A dry run trains nothing.
expect 0 sft -c conf/sft.yaml --out runs/dry --dry-run
says out "epochs: 1"
says out "updates"
holds [ ! -e runs/dry/checkpoints ]

# A parent that has changed is refused; naming it anew accepts it.
expect 0 world demos --demos 64 --seed 2 --out conf/demos.jsonl
expect 4 sft -c runs/a/config.yaml --out runs/c
says errors "sft.data"
expect 0 sft -c runs/a/config.yaml --data conf/demos.jsonl --out runs/c

# Wrong files: exit 2, with file, line and the nearest key.
printf 'seed: 1\nppo:\n  beta: 0.1\n  bta: 1\n' >wrong.yaml
expect 2 ppo -c wrong.yaml
says errors "wrong.yaml:4: unknown key 'ppo.bta'; did you mean 'ppo.beta'?"
printf 'ppo:\n  beta: -1\n' >wrong.yaml
expect 2 ppo -c wrong.yaml
says errors "wrong.yaml:2: ppo.beta = -1 is outside [0, 10]"
printf 'ppo: [1]\n' >wrong.yaml
expect 2 ppo -c wrong.yaml
says errors "wrong.yaml:1"
printf 'a: {\n' >wrong.yaml
expect 2 ppo -c wrong.yaml
says errors "wrong.yaml:"
printf 'seed: &x 1\nshards: *x\n' >wrong.yaml
expect 2 ppo -c wrong.yaml
head -c 2000000 /dev/zero | tr '\0' '#' >wrong.yaml
expect 2 ppo -c wrong.yaml
says errors "larger than 1 MiB"
expect 2 ppo -c nowhere.yaml
finish
