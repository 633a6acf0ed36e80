#!/bin/sh
# real.sh PLUMB OUT - the recipe on a real model at its smallest, and then its
# blind spot-check filled by two judges who are simulated and named so.
# Skipped (5) where the model or the data are not to be had.
here=$(cd "$(dirname "$0")" && pwd)
out=$2
PLUMB=$1 OUT=$out sh "$here/../../recipes/support-smollm2/run.sh" quick || exit
. "$here/check.sh"
. "$here/serving.sh"
db=$out/human/spotcheck.db

# What the recipe leaves: nobody has judged, two changes were tried.
expect 0 diagnose "$out" --json
holds jq -e '.observations[] | select(.id == "S2b") |
    .verdict == "not_measurable" and .estimate == null' out
holds jq -e '.changes | length == 2' "$out/whatif/result.json"
holds [ "$(wc -l <"$out/changes.txt")" -eq 2 ]
holds [ -s "$out/whatif/report.html" ]
expect 0 label standing "$db" --json
holds jq -e '.progress.votes == 0 and .task == "spotcheck" and
    .progress.items > 8' out

open "$db"
for n in 1 2; do
    expect 0 label invite "$db" --name "simulated-$n" --port "$port"
    token=$(sed -n 's/.*#token=//p' out)
    holds node "$here/simulated_judge.mjs" "http://127.0.0.1:$port" "$token"
done
close
expect 0 label audit "$db"

# The diagnosis reads them, and says whose votes they are.
expect 0 label standing "$db" --json
holds jq -e '.progress.votes > 8 and
    ([.judges[] | select(.votes > 0) | .name | startswith("simulated-")] |
     all)' out
expect 0 diagnose "$out" --json
holds jq -e '.observations[] | select(.id == "S2b") | .n > 0' out
finish
