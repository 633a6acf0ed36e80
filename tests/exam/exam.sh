#!/bin/sh
# exam.sh - plant every fault, diagnose blind, grade (docs/exam.md).
#
#     tests/exam/exam.sh [--quick] [--calibrate] [--grade | --whatif] [CASE...]
#
# Without a word all runs are made, diagnosed, re-run with what the diagnoses
# recommend, and graded; --calibrate keeps to the calibration seeds; --grade
# makes nothing, and diagnoses anew what is there; --whatif does nothing but
# the re-runs of what is diagnosed, and grades.  CASE... keeps to these cases,
# or to these runs (R4-1.1).  What is done is not done again: a stage is known
# by the hash of all settings that it follows from.
#
#     PLUMB  the program          build/release/plumb
#     GRADE  the grader           build/release/tests/exam/exam_grade
#     OUT    where all of it goes build/exam, with --quick build/exam-quick
#     JOBS   runs at a time, each on one thread; the number of processors
#
#     OUT/stages/STAGE-HASH/   what `plumb` made; `done` is written last
#     OUT/runs/CASE-CHAIN.RUN  key: set, case, seeds, blind name, stages
#     OUT/blind/NAME/          what the diagnosis sees, and diagnosis.json
#     OUT/whatif/ID            of re-runs: a stage and its change a line
#     OUT/placebo/ID.json      permutations
#     OUT/early_warning.json   alarms as if live
#     OUT.json                 the result
set -eu

here=$(cd "$(dirname "$0")" && pwd)
page=$here/../../docs/exam.md
: "${PLUMB:=build/release/plumb}"
: "${GRADE:=build/release/tests/exam/exam_grade}"
: "${JOBS:=$(nproc)}"
resamples=1000        # bootstrap resamples of a diagnosis
placebo_resamples=200 # of one permutation
permutations=100      # of each of the two kinds, over the runs of a set
tab=$(printf '\t')

say() {
    echo "exam: $*" >&2
}

die() {
    say "$*"
    exit 1
}

hash_text() {
    sha256sum | cut -c1-16
}

# ---- the page's tables ------------------------------------------------------

# table HEADING: the rows of the table under a heading, tabs between cells.
table() {
    awk -v want="## $1" '
        /^## / { here = $0 == want; next }
        !here || !/^\|/ || /^\|-/ { next }
        !head { head = 1; next }
        {
            gsub(/`/, "")
            n = split($0, cell, "|")
            row = ""
            for (i = 2; i < n; i++) {
                gsub(/^ +| +$/, "", cell[i])
                row = row (i > 2 ? "\t" : "") cell[i]
            }
            print row
        }' "$page"
}

base() {
    table Bases | awk -F"$tab" -v name="$1" '$1 == name { print $2 }'
}

# cell CASE COLUMN
cell() {
    table Cases | awk -F"$tab" -v name="$1" -v i="$2" '$1 == name { print $i }'
}

# every setting that a case plants, one a line
planted_keys() {
    table Cases | awk -F"$tab" '{ print $3 }' | tr ' ' '\n' |
        sed -n 's/=.*//p' | sort -u
}

# list_runs SET: lines of set, case, chain, run.  A case that a row names is not
# meant by the row "*".  Neighbours differ in their chain, so that workers
# seldom wait for each other.
list_runs() {
    table Cases | cut -f1 | while read -r case; do
        table Seeds | awk -F"$tab" -v set="$1" -v name="$case" '
            $1 != set { next }
            index(" " $2 " ", " " name " ") { chains = $3; n = $4 }
            $2 == "*" && chains == "" { chains = $3; n = $4 }
            END {
                k = split(chains, chain, " ")
                for (run = 1; run <= n; run++)
                    for (i = 1; i <= k; i++)
                        print set, name, chain[i], run
            }'
    done
}

# ---- settings ---------------------------------------------------------------

# settings CASE: key=value, sorted; what is laid on later wins.
settings() {
    # shellcheck disable=SC2046 # lists of words
    printf '%s\n' $(base all) $(base "$(cell "$1" 2)") \
        $([ -z "$quick" ] || base quick) $(cell "$1" 3) |
        awk -F= '{ v[$1] = $0 } END { for (k in v) print v[k] }' | sort
}

# of PREFIX...: those of these prefixes, as options.
of() {
    for prefix; do
        printf '%s\n' "$all" | sed -n "s/^$prefix\\./--set $prefix./p"
    done
}

# value KEY DEFAULT
value() {
    found=$(printf '%s\n' "$all" | sed -n "s/^$1=//p")
    echo "${found:-$2}"
}

# ---- stages -----------------------------------------------------------------

# has NAME KEY: was it made?
has() {
    [ -e "$OUT/stages/$1-$(printf '%s\n' "$1 $2" | hash_text)/done" ]
}

# stage NAME KEY: its directory in $dir; true when it is yet to be made.  Two
# workers may want the same one: the second waits for the first.
stage() {
    dir=$OUT/stages/$1-$(printf '%s\n' "$1 $2" | hash_text)
    [ ! -e "$dir/done" ] || return 1
    mkdir -p "$dir"
    exec 9>"$dir/lock"
    flock 9
    [ ! -e "$dir/done" ] || return 1
    printf '%s\n' "$2" >"$dir/key"
}

# CPU seconds of all that this worker has called so far, in $cpu.
cpu() {
    times >"$dir/times.now"
    cpu=$(awk 'NR == 2 {
        for (i = 1; i <= 2; i++) {
            split($i, t, /[ms]/)
            sum += 60 * t[1] + t[2]
        }
        printf "%.1f", sum
    }' "$dir/times.now")
    rm "$dir/times.now"
}

begin() {
    cpu
    begun=$cpu
    wall=$(date +%s)
}

# The stage is done: CPU seconds, seconds, and by which program.
finish() {
    cpu
    awk -v a="$begun" -v b="$cpu" -v wall="$(($(date +%s) - wall))" \
        -v program="$program" \
        'BEGIN { printf "%.1f %d %s\n", b - a, wall, program }' >"$dir/done"
    exec 9>&-
}

# call COMMAND...: plumb; its last words are told when it fails.
call() {
    "$PLUMB" "$@" --quiet >>"$dir/log" 2>&1 || {
        tail -n 3 "$dir/log" >&2
        die "plumb $* failed ($dir)"
    }
}

work() {
    call "$@" --threads "$threads"
}

# shellcheck disable=SC2046 # lists of words, all along
make_sft() {
    key="seed=$chain $(value world.demos 12000) $(of sft)"
    if stage sft "$key"; then
        begin
        call world tokenizer --out "$dir/desk"
        call world demos --demos "$(value world.demos 12000)" --seed "$chain" \
            --out "$dir/demos.jsonl"
        work sft --data "$dir/demos.jsonl" --tokenizer "$dir/desk" \
            --out "$dir/sft" --seed "$chain" $(of sft) --resume
        finish
    fi
    sft=$dir
}

make_candidates() {
    key="seed=$chain ${sft##*/} $(value world.rank_prompts 4200)"
    if stage candidates "$key"; then
        begin
        call world tickets --split ranking --seed "$chain" \
            --tickets "$(value world.rank_prompts 4200)" \
            --out "$dir/prompts.jsonl"
        work generate -m "$sft/sft" --prompts "$dir/prompts.jsonl" \
            --samples 4 --seed "$chain" --out "$dir/candidates.jsonl"
        finish
    fi
    candidates=$dir
}

# shellcheck disable=SC2046
make_reward() {
    wanted="seed=$chain ${sft##*/} $(value world.rank_prompts 4200) \
$(of rater) $(of reward)"
    has reward "$wanted" || make_candidates
    if stage reward "$wanted"; then
        begin
        call world rank --data "$candidates/candidates.jsonl" \
            --seed "$chain" $(of rater) --out "$dir/rankings.jsonl"
        work reward --data "$dir/rankings.jsonl" --model "$sft/sft" \
            --out "$dir/reward" --seed "$chain" $(of reward) --resume
        finish
    fi
    reward=$dir
}

# shellcheck disable=SC2046
make_ppo() {
    key="seed=$seed ${sft##*/} ${reward##*/} $(value world.intents '') \
$(value world.mix_shift 0) $(of ppo)"
    if stage ppo "$key"; then
        begin
        batch=$(value ppo.batch 64)
        call world tickets --split ppo --seed "$seed" \
            --tickets $((batch * $(value ppo.iterations 60))) \
            $(printf '%s\n' "$all" | grep -E '^world.(intents|mix_shift)=' |
                sed 's/^/--set /') --out "$dir/prompts.jsonl"
        work ppo --model "$sft/sft" --reward-model "$reward/reward" \
            --prompts "$dir/prompts.jsonl" --out "$dir/ppo" --seed "$seed" \
            $(of ppo) --resume
        finish
    fi
    ppo=$dir
}

# Evaluation and probes lie beside the run, where `plumb probe` looks for them;
# the stage `eval` only says that they are there.
# shellcheck disable=SC2046
make_eval() {
    if stage eval "seed=$seed ${ppo##*/} $(of eval probe)"; then
        begin
        work eval "$ppo" --seed "$seed" $(of eval)
        work probe "$ppo" --seed "$seed" $(of probe)
        finish
    fi
    evaluated=$dir
}

# shellcheck disable=SC2046
make_votes() {
    if stage votes "seed=$seed ${evaluated##*/} $(of panel) $(base round)"; then
        begin
        call world judge --panel careful --data "$ppo/eval/samples.jsonl" \
            --seed "$seed" $(of panel) --out "$dir/spotcheck.jsonl"
        # Of each checkpoint others, so that a round meets other prompts.
        first=0
        mkdir -p "$dir/checkpoints"
        for f in "$ppo"/eval/checkpoints/*.jsonl; do
            call world judge --panel careful --data "$f" --seed "$seed" \
                $(of panel) $(base round | sed 's/[^ ]*=/--set &/g') \
                --set panel.first=$first --out "$dir/checkpoints/${f##*/}"
            first=$((first + 32))
        done
        finish
    fi
    votes=$dir
}

# ---- blinding ---------------------------------------------------------------

# strip_config FILE: without the settings that any case plants.
strip_config() {
    awk -v keys="$(planted_keys | tr '\n' ' ')" '
        BEGIN { n = split(keys, k, " "); for (i = 1; i <= n; i++) gone[k[i]] }
        /^[a-z_]+:/ { section = $1; sub(/:.*/, "", section) }
        /^  [a-z0-9_]+:/ {
            key = $1
            sub(/:.*/, "", key)
            if (section "." key in gone) next
        }
        { print }' "$1"
}

# What the support desk knows and people do not, out of JSON Lines.
strip_truth() {
    sed -e 's/,"gold":[^],}]*//' -e 's/,"help":[^],}]*//' \
        -e 's/,"ticket":{[^}]*}//' -e 's/,"world\/[a-z_]*":[^],}]*//g'
}

blind() {
    d=$OUT/blind/$name
    rm -rf "$d"
    mkdir -p "$d/ppo/rollouts" "$d/eval" "$d/human" "$d/probes" \
        "$d/reward/eval" "$d/sft"
    strip_config "$sft/sft/config.yaml" >"$d/sft/config.yaml"
    strip_config "$reward/reward/config.yaml" >"$d/reward/config.yaml"
    strip_config "$ppo/ppo/config.yaml" >"$d/ppo/config.yaml"
    ln "$reward/reward/eval/heldout.json" "$d/reward/eval/"
    strip_truth <"$ppo/ppo/metrics.jsonl" >"$d/ppo/metrics.jsonl"
    for f in "$ppo"/ppo/rollouts/*.jsonl.zst; do
        zstd -dcq "$f" | strip_truth |
            zstd -1 -q -o "$d/ppo/rollouts/${f##*/}"
    done
    strip_truth <"$ppo/eval/samples.jsonl" >"$d/eval/samples.jsonl"
    jq 'del(.scenario)' "$ppo/eval/settings.json" >"$d/eval/settings.json"
    jq 'del(.checkpoints[].gold)' "$ppo/eval/curve.json" >"$d/eval/curve.json"
    ln "$votes/spotcheck.jsonl" "$d/human/"
    mkdir "$d/eval/checkpoints" "$d/human/checkpoints"
    ln "$votes"/checkpoints/* "$d/human/checkpoints/"
    for f in "$ppo"/eval/checkpoints/*.jsonl; do
        jq -c '{prompt_id, which, sample, response, len, score}' "$f" \
            >"$d/eval/checkpoints/${f##*/}"
    done
    for f in "$ppo"/probes/*.json; do
        [ "${f##*/}" = summary.json ] || ln "$f" "$d/probes/"
    done
    "$here/scan.sh" "$d" $(planted_keys) || die "$d is not blind"
}

# ---- one run ----------------------------------------------------------------

# one SET CASE CHAIN RUN
one() {
    set=$1 case=$2 chain=$3 seed=$((100 * $3 + $4)) id=$2-$3.$4
    all=$(settings "$case")
    make_sft
    make_reward
    make_ppo
    make_eval
    make_votes
    # Another list of what is planted is another blindness.
    name=$(echo "$id ${votes##*/} ${ppo##*/} $(planted_keys)" | hash_text)
    key="$set $case $chain $4 $seed $name ${sft##*/} ${reward##*/} \
${ppo##*/} ${evaluated##*/} ${votes##*/}"
    was=$(cut -d ' ' -f 6 "$OUT/runs/$id" 2>/dev/null || true)
    if [ "$was" != "$name" ]; then
        [ -z "$was" ] || rm -rf "$OUT/blind/${was:?}"
        blind
        echo "$key" >"$OUT/runs/$id"
    fi
    say "$id made"
}

# diagnose_one ID: unless it was diagnosed by this program already.
diagnose_one() {
    read -r _ _ _ _ _ name _ <"$OUT/runs/$1"
    d=$OUT/blind/$name
    [ "$(cat "$d/diagnosed" 2>/dev/null)" != "$program $resamples" ] || return 0
    dir=$d
    call diagnose "$d" --resamples "$resamples"
    echo "$program $resamples" >"$d/diagnosed"
}

# Changes that a diagnosis recommends and predicts something of.
predicted_changes() {
    jq -r '.remedies[] |
        select(.name != null and
            ([.predicted[] | objects | .estimate] | any(. != null))) |
        .name' "$1"
}

# make_whatif CHANGE: the run once more with one change, beside the recorded
# one.  To plumb whatif the stage is a project: its links lead to the run and
# to the evaluation, and paths in there are told from beside other stages.
# shellcheck disable=SC2046
make_whatif() {
    key="seed=$seed $ppo $evaluated $(of panel) $1"
    if [ -z "$can_try" ]; then
        has whatif "$key" || return 0
    fi
    if stage whatif "$key"; then
        begin
        rm -f "$dir/failed"
        ln -sfn "../$ppo/ppo" "$dir/ppo"
        ln -sfn "../$ppo/eval" "$dir/eval"
        "$PLUMB" whatif "$dir" --change "$1" --seeds 1 $(of panel) \
            --threads "$threads" --quiet >"$dir/log" 2>&1 </dev/null ||
            { sed -n 's/^plumb: //p' "$dir/log"; echo 'it was ended'; } |
            head -n 1 >"$dir/failed"
        # Numbers that went bad are an outcome and stand in the result.
        if [ ! -e "$dir/failed" ] ||
            jq -e '.changes[0].seeds[0].error != null' \
                "$dir/whatif/result.json" >/dev/null 2>&1; then
            find "$dir/whatif" \( -name checkpoints -o -name rollouts \
                -o -name policy \) -prune -exec rm -r {} +
            finish
        else
            exec 9>&-
            say "$id $1: $(cat "$dir/failed")"
        fi
    fi
    echo "${dir##*/} $1" >>"$OUT/whatif/$id.new"
}

# whatif_one ID: both recommended changes.  They come from the blind diagnosis;
# what is run again is the run as it was planted, by the same judges.
whatif_one() {
    id=$1
    read -r _ case _ _ seed name _ _ ppo evaluated _ <"$OUT/runs/$id"
    all=$(settings "$case")
    : >"$OUT/whatif/$id.new"
    predicted_changes "$OUT/blind/$name/diagnosis.json" |
        while read -r change; do
            make_whatif "$change"
        done
    # Where nothing may be made and nothing was, there is no step to tell of.
    if [ -n "$can_try" ] || [ -s "$OUT/whatif/$id.new" ]; then
        mv "$OUT/whatif/$id.new" "$OUT/whatif/$id"
    else
        rm -f "$OUT/whatif/$id.new" "$OUT/whatif/$id"
    fi
}

# The runs that are run again (the page's table) and are diagnosed.
list_whatifs() {
    table What-ifs >"$OUT/whatifs.tsv"
    while read -r set case chain run; do
        [ -e "$OUT/blind/$(cut -d ' ' -f 6 "$OUT/runs/$case-$chain.$run" \
            2>/dev/null)/diagnosis.json" ] || continue
        awk -F"$tab" -v set="$set" -v chain="$chain" -v run="$run" \
            -v words="$case $(cell "$case" 6)" '
            BEGIN { n = split(words, word, " ") }
            $1 == set && $3 == chain && $4 == run {
                for (i = 1; i <= n; i++)
                    if (index(" " $2 " ", " " word[i] " ")) found = 1
            }
            END { exit !found }' "$OUT/whatifs.tsv" || continue
        echo "$case-$chain.$run"
    done <"$OUT/list"
}

# placebo_one ID NUMBER SEED: NUMBER permutations of a run, unless they were
# made with these programs from this diagnosis.
placebo_one() {
    read -r _ _ _ _ _ name _ <"$OUT/runs/$1"
    d=$OUT/blind/$name
    mark="$(cat "$d/diagnosed") $2 $3 $placebo_resamples"
    [ "$(cat "$OUT/placebo/$1.mark" 2>/dev/null)" != "$mark" ] || return 0
    "$GRADE" placebo "$d" "$2" "$placebo_resamples" "$3" \
        "$OUT/placebo/$1.json"
    echo "$mark" >"$OUT/placebo/$1.mark"
}

# The runs whose samples are permuted, as arguments of placebo_one: those that
# learned nothing, and the first healthy ones and the demos of each chain.
list_placebo() {
    for kind in 'placebo-' '(healthy-[0-9]*[.]1$|demo-)'; do
        for set in $sets; do
            awk -v set="$set" '$1 == set { print $2 "-" $3 "." $4 }' \
                "$OUT/list" | grep -F -x -f "$OUT/made" |
                grep -E "^$kind" | awk -v all="$permutations" '
                    { id[NR] = $0 }
                    END {
                        for (i = 1; i <= NR; i++)
                            print id[i], int(all * i / NR) - \
                                int(all * (i - 1) / NR), i
                    }'
        done
    done
}

# ---- all of them ------------------------------------------------------------

quick=
sets='calibration graded second'
can_make=yes can_try=yes can_diagnose=yes
case ${1:-} in
--one | --diagnose | --again | --placebo)
    # A worker: what it needs was exported.
    quick=$EXAM_QUICK threads=$EXAM_THREADS program=$EXAM_PROGRAM
    can_try=$EXAM_TRY
    step=$1
    shift
    case $step in
    --one) one "$@" ;;
    --diagnose) diagnose_one "$@" ;;
    --again) whatif_one "$@" ;;
    --placebo) placebo_one "$@" ;;
    esac
    exit
    ;;
esac
while [ $# -gt 0 ]; do
    case $1 in
    --quick) quick=yes sets=quick permutations=4 ;;
    --calibrate) sets=calibration ;;
    --grade) can_make='' can_try='' ;;
    --whatif) can_make='' can_diagnose='' ;;
    --*) die "$1: there are --quick, --calibrate, --grade and --whatif" ;;
    *) break ;;
    esac
    shift
done
only=$*
: "${OUT:=build/exam${quick:+-quick}}"
[ -x "$PLUMB" ] || die "$PLUMB is not there; make build"
program=$(hash_text <"$PLUMB")
threads=1
[ "$JOBS" -gt 1 ] || threads=0
export PLUMB GRADE OUT EXAM_QUICK="$quick" EXAM_THREADS="$threads" \
    EXAM_PROGRAM="$program" EXAM_TRY="$can_try"
mkdir -p "$OUT/stages" "$OUT/runs" "$OUT/blind" "$OUT/placebo" "$OUT/whatif"

for set in $sets; do
    list_runs "$set"
done | awk -v only=" $only " '
    only ~ /^ *$/ || index(only, " " $2 " ") ||
        index(only, " " $2 "-" $3 "." $4 " ")' >"$OUT/list"
table Cases >"$OUT/cases.tsv"
failed=0
if [ -n "$can_make" ]; then
    say "$(wc -l <"$OUT/list") runs, $JOBS at a time"
    xargs -P "$JOBS" -L 1 "$0" --one <"$OUT/list" || failed=1
fi
awk '{ print $2 "-" $3 "." $4 }' "$OUT/list" | while read -r id; do
    [ ! -e "$OUT/runs/$id" ] || echo "$id"
done >"$OUT/made"
if [ -n "$can_diagnose" ] && [ -s "$OUT/made" ]; then
    xargs -P "$JOBS" -L 1 "$0" --diagnose <"$OUT/made" || failed=1
fi
list_whatifs >"$OUT/again"
[ ! -s "$OUT/again" ] ||
    xargs -P "$JOBS" -L 1 "$0" --again <"$OUT/again" || failed=1
if [ -n "$can_diagnose" ]; then
    list_placebo >"$OUT/permuted"
    [ ! -s "$OUT/permuted" ] ||
        xargs -P "$JOBS" -L 1 "$0" --placebo <"$OUT/permuted" || failed=1
    "$GRADE" warn "$OUT" || failed=1
fi
"$GRADE" grade "$OUT" || failed=1
[ "$failed" = 0 ] || die 'not everything succeeded, see above'
