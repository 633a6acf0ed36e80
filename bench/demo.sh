#!/bin/sh
# demo.sh PLUMB FOLDER - a finished `plumb demo` in the folder, whose models
# others are measured with; nothing where it is there already.
set -eu

plumb=$1 folder=$2
[ -f "$folder/ppo/result.json" ] ||
    "$plumb" demo --quiet --overwrite --out "$folder" >&2
