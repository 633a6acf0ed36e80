#!/bin/sh
# completion.sh PLUMB - the scripts of plumb completion, run by their shells:
# bash always, zsh and fish where they are installed.
here=$(cd "$(dirname "$0")" && pwd)
. "$here/check.sh"

expect 2 completion
expect 2 completion tcsh
says errors "no completion for 'tcsh': bash, zsh, fish"
for shell in bash zsh fish; do
    expect 0 completion $shell
    mv out plumb.$shell
    if command -v $shell >/dev/null 2>&1; then
        holds $shell -n plumb.$shell
    else
        echo "$shell is not here: its completion is not tried"
    fi
done
expect 0 help --json
mv out help.json
mkdir files
touch files/one.jsonl 'files/two words.jsonl'

# in_bash WORD...: what bash would offer for the last one.
cat >complete.bash <<'END'
. ./plumb.bash
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_plumb
printf '%s\n' "${COMPREPLY[@]}"
END
in_bash() {
    bash complete.bash "$@" 2>bash.errors
}

# offers WANTED WORD...: these and no others, in any order.
offers() {
    wanted=$1
    shift
    checks=$((checks + 1))
    got=$(in_bash "$@" | sort | tr '\n' ' ')
    if [ "$got" != "$wanted " ] || [ -s bash.errors ]; then
        echo "$*: offers '$got', wanted '$wanted'"
        cat bash.errors
        bad=$((bad + 1))
    fi
}

offers 'diagnose' plumb diag
offers 'healthy paradox weak-rm' plumb demo --scenario ''
offers 'healthy' plumb demo --scenario = he
offers 'healthy paradox weak-rm' plumb demo --scenario =
offers 'healthy' plumb demo --set demo.scenario = h
offers 'false true' plumb demo --set demo.quick = ''
offers '--scenario' plumb demo --sc
offers 'tickets' plumb world tick
offers 'ppo probe' plumb help p
offers 'files/one.jsonl files/two words.jsonl' plumb sft --data files/
offers 'files/one.jsonl' plumb sft -d files/o
offers 'files/one.jsonl' plumb score --quiet -c files/o
offers 'files/one.jsonl' plumb inspect files/o
offers 'ppo.lambda=' plumb ppo --set ppo.lamb
offers '' plumb ppo --beta ''
offers '' plumb version ''
offers '' plumb nonesuch ''
holds grep -qx 'complete -F _plumb plumb' plumb.bash

# Every command, and every option of it, in each of the three.
holds jq -re '.commands[].name' help.json
jq -r '.commands[].name' help.json | sort >names
in_bash plumb '' | grep -v '^-' | sort >offered
holds diff names offered
jq -r '.options[] | .key as $key | .commands[] | "\(.) \($key)"' help.json |
    sort >rows
holds [ "$(wc -l <rows)" -gt 300 ]
while read -r name; do
    in_bash plumb "$name" --set '' | sed "s/^/$name /; s/=\$//"
done <names | grep -v ' $' | sort >offered
holds diff rows offered

# The whole or the last part of a key is its flag, with dashes.
while read -r name key; do
    flag=$(printf %s "$key" | tr _ -)
    printf '%s\n' "$name --$flag" "$name --no-$flag" \
        "$name --${flag##*.}" "$name --no-${flag##*.}"
done <rows | sort -u >possible
while read -r name; do
    in_bash plumb "$name" - | sed "s/^/$name /" |
        grep -v -e '--help$' -e '--config$' -e '--set$'
done <names | sort -u >flags
holds [ "$(wc -l <flags)" -gt 300 ]
holds [ -z "$(comm -13 possible flags)" ]
for shell in zsh fish; do
    # What every command offers is there once for each.
    holds [ "$(grep -c -e '--json' -e '-l json ' plumb.$shell)" -eq \
        "$(wc -l <names)" ]
done
while read -r name flag; do
    case $flag in -*) ;; *) continue ;; esac
    grep -qF -e "__plumb_is $name'" plumb.fish &&
        grep -e "__plumb_is $name'" plumb.fish |
        grep -qF -e " -l ${flag#--} " || echo "fish: $name $flag"
    grep -qF -e "'*$flag[" -e "'*$flag=[" plumb.zsh || echo "zsh: $name $flag"
done <flags >absent
holds [ ! -s absent ]
cat absent

if command -v fish >/dev/null 2>&1; then
    # in_fish LINE: what fish would offer at its end.
    in_fish() {
        HOME=$work fish --no-config -c 'source ./plumb.fish
            complete -C $argv[1]' "$1" | cut -f1 | sort | tr '\n' ' '
    }
    holds [ "$(in_fish 'plumb demo --scenario ')" = 'healthy paradox weak-rm ' ]
    holds [ "$(in_fish 'plumb diag')" = 'diagnose ' ]
    holds [ "$(in_fish 'plumb world tick')" = 'tickets ' ]
    holds [ "$(in_fish 'plumb inspect files/o')" = 'files/one.jsonl ' ]
    holds [ "$(in_fish 'plumb tokenize files/o')" = '' ]
fi
if command -v zsh >/dev/null 2>&1; then
    # shellcheck disable=SC2016 # for zsh
    holds [ "$(HOME=$work zsh -f -c 'autoload -U compinit
        compinit -u -D && source ./plumb.zsh && print $_comps[plumb]')" = _plumb ]
fi
finish
