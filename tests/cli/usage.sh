#!/bin/sh
# usage.sh PLUMB - help, version, wrong lines and their exit codes.
. "$(dirname "$0")/check.sh"

expect 0 version
says out "plumb "
expect 0 --version
expect 0 version --json
holds jq -e '.schema and .plumb_version' out
expect 0 help
says out "plumb COMMAND --help"
expect 0 --help
expect 0 help --json
holds jq -e '.schema and .plumb_version and (.options | length > 50)' out
cp out help.json

# Every command has help and a manual, on standard output alone.
for command in $(jq -r '.commands[].name' help.json); do
    expect 0 "$command" --help
    says out "usage: plumb $command"
    holds [ ! -s errors ]
    expect 0 help "$command"
    expect 0 man "$command"
    says out ".Dt PLUMB-"
done

expect 0 man generate
says out '-prompt "where'

# What takes a file says so, whether it is read or written.
expect 0 diagnose --help
says out "--essay FILE"
expect 0 sft --help
says out "--data FILE"

# What is on by default says how it is turned off.
expect 0 eval --help
says out "--no-curve turns it off"

expect 2
says errors "try: plumb help"
expect 2 pp
says errors "did you mean 'ppo'?"
expect 2 ppo --bta 1
says errors "plumb: unknown option '--bta'; did you mean '--beta'?"
says errors "try: plumb ppo --help"
holds [ ! -s out ]
# The demo's prompts follow from PPO's settings, so it offers no number.
expect 0 demo --help
holds sh -c '! grep -q world.tickets out'
expect 2 ppo --beta -1
says errors "ppo.beta = -1 is outside [0, 10]"
expect 2 ppo --beta
expect 2 ppo --set nonsense
expect 2 sft --set ppo.beta=0.1 --data x --out run
says errors "--set ppo.beta: not a setting of plumb sft"
expect 2 sft --set ppo.bta=0.1 --data x --out run
says errors "did you mean 'ppo.beta'?"
expect 2 sft --resume --overwrite --out run --data x
says errors "contradict"
expect 2 sft --out run
says errors "sft.data"
expect 2 sft --data nowhere.jsonl
says errors "out is not set"
expect 2 world dance --out x
expect 2 world tickets
expect 2 generate -m nowhere
expect 2 eval

# What is absent is 5, what is corrupt is 4.
expect 5 inspect nowhere
expect 5 eval nowhere
expect 5 generate -m nowhere --prompt hello
expect 5 sft --data nowhere.jsonl --out run
echo '{"id": 1' >bad.jsonl
expect 4 inspect bad.jsonl
says errors "bad.jsonl:1"
printf 'xxxxxxxxxxxxxxxx' >bad.safetensors
expect 4 inspect bad.safetensors

# A terminal is not steered by what a file says.
printf 'a\033[31mb: 1\n' >escape.yaml
expect 2 ppo -c escape.yaml
holds sh -c '! grep -q "$(printf "\033")" errors'

# Standard output that takes nothing is a failure.
if [ -w /dev/full ]; then
    "$plumb" help >/dev/full 2>errors
    holds [ $? -eq 1 ]
fi
# A drift of the prompts is nothing that PPO may shuffle; nothing is begun.
expect 2 demo --quick --out drift --set world.mix_shift=1
says errors "ppo.file_order=true"
expect 2 demo --quick --out drift --set world.intents=refund,lat
says errors "no intent 'lat'; known: refund, late"
holds [ ! -e drift ]
finish
