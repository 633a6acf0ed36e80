#!/bin/sh
# scan.sh DIRECTORY KEY... - is a directory fit for a blind diagnosis?
#
# Fails and says where, when a configuration has one of the settings, any file
# (unpacked when it is packed) names one of them in full or holds what only
# the support desk knows, or a file is there that no diagnosis reads.
set -eu
directory=$1
shift
bad=0

found() {
    echo "scan: $directory: $*" >&2
    bad=1
}

unpacked() {
    case $1 in
    *.zst) zstd -dcq "$1" ;;
    *) cat "$1" ;;
    esac
}

list=$(mktemp)
trap 'rm -f "$list"' EXIT
printf '%s\n' "$@" | sed 's/\./\\./g' >"$list"
for key; do
    section=${key%%.*}
    for config in "$directory"/*/config.yaml; do
        awk -v section="$section" -v key="  ${key#*.}:" '
            /^[a-z_]+:/ { here = $1 == section ":" }
            here && index($0, key) == 1 { found = 1 }
            END { exit !found }' "$config" &&
            found "$config has $key"
    done
done
find "$directory" -type f >"$list.files"
while read -r file; do
    case ${file#"$directory"/} in
    sft/config.yaml | reward/config.yaml | reward/eval/heldout.json) ;;
    ppo/config.yaml | ppo/metrics.jsonl | ppo/rollouts/*.jsonl.zst) ;;
    eval/settings.json | eval/samples.jsonl | eval/curve.json) ;;
    human/spotcheck.jsonl | probes/*.json) ;;
    eval/checkpoints/*.jsonl | human/checkpoints/*.jsonl) ;;
    diagnosis.json | report.html | diagnosed | log) continue ;;
    *) found "${file#"$directory"/} is not for a diagnosis" ;;
    esac
    unpacked "$file" | grep -qi -e gold -e '"ticket":' -e '"help":' \
        -e '"world/' && found "${file#"$directory"/} knows what people do not"
    unpacked "$file" | grep -q -f "$list" &&
        found "${file#"$directory"/} names a setting that is planted"
done <"$list.files"
rm -f "$list.files"
exit $bad
