#!/bin/sh
# lint.sh PLUMB - other trainers' settings: exit codes, both outputs, and files
# that are made to hurt.
data=$(cd "$(dirname "$0")/../data/lint" && pwd)
. "$(dirname "$0")/check.sh"

expect 2 lint
says errors "plumb lint wants CONFIG"
expect 2 lint --trainer nobody x.yaml
expect 5 lint nowhere.yaml
expect 4 lint "$data"
says errors "directory"

for file in "$data"/healthy/*; do
    expect 0 lint "$file"
    says out "0 errors, 0 warnings"
done
for file in "$data"/rules/error/*; do
    id=$(basename "${file%.*}")
    expect 3 lint "$file" --json
    holds jq -e --arg id "$id" \
        '.trainer and any(.findings[]; .id == $id and .severity == "error"
         and (.why | length > 20) and (.fix | length > 5) and .key != "")' out
done
for file in "$data"/rules/warning/* "$data"/rules/note/*; do
    id=$(basename "${file%.*}")
    "$plumb" lint --json "$file" >out 2>errors
    holds jq -e --arg id "$id" 'any(.findings[]; .id == $id)' out
done

# What the contract promises: these members, and nothing else on the output.
expect 3 lint "$data/rules/error/k3-in-reward.yaml" --json
holds jq -e '.trainer == "trl-ppo" and (.findings | type == "array") and
    (.findings[0] | has("id") and has("severity") and has("key") and
     has("why") and has("fix"))' out
holds [ "$(wc -l <out)" -eq 1 ]
says errors "plumb: 1 setting whose penalty cannot work"

# For people.
expect 3 lint "$data/rules/error/k3-in-reward.yaml"
says out "error     k3-in-reward  kl_estimator = k3 (line 5)"
says out "fix: --kl_estimator k1"
says out "defaults of TRL 1.9.0"
holds awk 'NR > 1 && length > 79 { exit 1 }' out

# Several files: each is told of; an error is 3, what is not understood 4.
expect 3 lint "$data/healthy/verl.sh" "$data/rules/error/k1-in-loss.sh" --json
holds [ "$(wc -l <out)" -eq 2 ]
echo 'words, and no settings' >prose.txt
expect 4 lint "$data/rules/error/k1-in-loss.sh" prose.txt --json
holds [ "$(wc -l <out)" -eq 1 ]
says errors "prose.txt:1:"

# Standard input.
"$plumb" lint - --json <"$data/rules/error/k1-in-loss.sh" >out 2>errors
holds [ $? -eq 3 ]
holds jq -e '.file == "<stdin>"' out
echo 'num_generations: 8' >twin.yaml
expect 4 lint twin.yaml
echo 'beta: 0.1' >>twin.yaml
expect 0 lint twin.yaml --json
holds jq -e '.trainer == "trl-grpo" and
    any(.findings[]; .id == "trainer-guessed")' out
expect 0 lint twin.yaml --json --trainer trl-rloo
holds jq -e '.trainer == "trl-rloo"' out
expect 4 lint twin.yaml --trainer verl

# Compressed files are read like others.
gzip -c "$data/healthy/verl.yaml" >verl.yaml.gz
expect 0 lint verl.yaml.gz

# Hostile files: 4, at once, in little memory (which sanitizers need more of).
room=400000
if ! (ulimit -v $room && "$plumb" version) >/dev/null 2>&1; then
    room=unlimited
fi
hostile() {
    checks=$((checks + 1))
    (
        ulimit -v "$room"
        timeout 60 "$plumb" lint "$1" >out 2>errors </dev/null
    )
    got=$?
    if [ "$got" -ne 4 ] || [ ! -s errors ]; then
        echo "plumb lint $1: exit $got, wanted 4"
        cat errors
        bad=$((bad + 1))
    fi
}
truncate -s 1000000000 long.txt # NUL bytes, 10^9 of them
hostile long.txt
# One character, again and again.
filled() {
    head -c "$2" /dev/zero | tr '\0' "$1" >"$3"
    hostile "$3"
}
filled a 2000000 letters.txt
filled '[' 1000000 open.yaml
filled '{' 1000000 open.json
filled '"' 1000000 quotes.sh
filled '$' 1000000 dollars.sh
filled '?' 1000000 keys.yaml
filled '&' 900000 ends.sh
yes 'kl_coef: 1' | head -90000 >many.yaml
hostile many.yaml
yes -- '--kl_coef 1' | head -80000 >many.sh
hostile many.sh
head -c 50000000 /dev/zero | gzip -c >bomb.gz
hostile bomb.gz
printf 'kl_coef: 0.05\nkl_estimator: \0k3\n' >nul.yaml
hostile nul.yaml
printf 'kl_coef: "0.05\n' >cut.yaml
hostile cut.yaml
printf '{"kl_coef": 0.05, "kl_est' >cut.json
hostile cut.json
printf 'x: &a [1]\ny: [*a, *a]\n' >alias.yaml
hostile alias.yaml
awk 'BEGIN { print "a0: &a0 [x, x]"
    for (i = 1; i < 30; i++) printf "a%d: &a%d [*a%d, *a%d]\n", i, i, i-1, i-1
}' >laughs.yaml
hostile laughs.yaml
: >empty.yaml
hostile empty.yaml
printf '\377\376k\0l\0' >wide.yaml
hostile wide.yaml

# A name and a value from a file do not steer the terminal.
printf 'kl_coef: "0.05\\e[31m"\nkl_estimator: k3\nnum_ppo_epochs: 4\n' >red.yaml
"$plumb" lint red.yaml >out 2>errors
holds sh -c '! grep -q "$(printf "\033")" out'

finish
