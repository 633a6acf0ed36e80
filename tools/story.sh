#!/bin/sh
# story.sh PLUMB PROJECT ESSAY - the whole story of a demo: the run and its
# diagnosis, both changes that it asks for tried again over three seeds, the
# diagnosis again with what they did, and the essay as Markdown.
#
#     SEEDS=3  SCENARIO=paradox  SEED=1  EXTRA="--quick"
#
# What is done is not done again: stopped anywhere, call it once more.
set -eu
plumb=$1
project=$2
essay=$3
seeds=${SEEDS:-3}

command -v jq >/dev/null || {
    echo 'story: jq is needed to read which changes the diagnosis asks for' >&2
    exit 5
}

# shellcheck disable=SC2086 # EXTRA is a list of words
"$plumb" demo --scenario "${SCENARIO:-paradox}" --seed "${SEED:-1}" \
    --out "$project" --resume ${EXTRA:-} >/dev/null

# The changes, as plumb whatif takes them.  They are kept: a later diagnosis
# knows more, and what was begun is to be finished.
changes=$project/story.changes
[ -s "$changes" ] || {
    jq -r '.remedies[] | select(.name != null and .name != "") | .name' \
        "$project/diagnosis.json" >"$changes.part"
    mv "$changes.part" "$changes"
}
[ -s "$changes" ] || {
    echo "story: the diagnosis asks for no change that plumb whatif could try" >&2
    exit 1
}
set --
while read -r name; do
    set -- "$@" --change "$name"
done <"$changes"
"$plumb" whatif "$project" "$@" --seeds "$seeds" >/dev/null

"$plumb" diagnose "$project" --essay "$essay"
echo "The essay: $essay"
