#!/bin/sh
# rows.sh VERSUS SOURCE - bench/run.sh where nothing that it runs works: every
# row is there with its reason, and the table comes.
set -eu

versus=$1 source=$2
command -v jq >/dev/null || {
    echo "there is no jq: skipped"
    exit 77
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -R "$source/bench" "$work/bench"
cd "$work"
mkdir -p build/release/bench peers/bin build/bench/smol
ln -s "$versus" build/release/bench/versus
touch build/bench/smol/model.safetensors

# Programs that are there and fail.
for program in build/release/plumb build/release/bench/bench_step \
    build/release/bench/bench_generate build/release/bench/make_traces \
    peers/bin/python; do
    printf '#!/bin/sh\nexit 1\n' >"$program"
    chmod +x "$program"
done
cp bench/peers/requirements.txt peers

fail() {
    echo "rows.sh: $1"
    cat log build/bench.json
    exit 1
}

# The table stands behind the rows as they came.
table_rows() {
    awk 'on; /^work  / { on = 1 }' table | wc -l
}

run() {
    PEERS=peers LLMC=/nonexistent MPI=build/none PAIRS=1 bench/run.sh \
        build/release >table 2>log
}

run || fail "it ended with status $?"
jq -e 'all(.[]; .ratio_median == null and (.why | length > 0))' \
    build/bench.json >/dev/null || fail "a row has no reason"
rows=$(jq length build/bench.json)
# 15 rows, of which ranks is two; where ppo-f32 has further figures of its runs,
# they are rows all the same.
[ "$rows" -eq 16 ] || fail "$rows rows"
[ "$(table_rows)" -eq "$rows" ] || fail "the table is another one"

# One row again, and the others stay.
ROWS=diagnose-memory run || fail "one row ended with status $?"
[ "$(jq length build/bench.json)" -eq "$rows" ] || fail "rows were lost"

# Ended in its middle there is a table, too.
printf '#!/bin/sh\nkill -TERM $PPID\nexit 1\n' >build/release/bench/make_traces
status=0
ROWS=diagnose-memory run || status=$?
[ "$status" -eq 130 ] || fail "a run that was ended has status $status"
[ "$(table_rows)" -eq "$rows" ] || fail "it has no table"
