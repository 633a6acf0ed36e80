#!/bin/sh
# run.sh [quick|full] - a support assistant from real data: SmolLM2-135M is
# fine-tuned on customer-support replies, a reward model learns from people's
# rankings, PPO maximises it on customers' questions with a KL penalty to the
# fine-tuned model, and a second reward model, of other pairs, judges.  Then
# the models are probed, the run is diagnosed, both changes that the diagnosis
# asks for are tried, and a blind spot-check for people is made ready.
#
#   PLUMB   the program                     (default build/release/plumb)
#   MODEL   a model Plumb reads             (default: tools/get-smollm2.sh)
#   DATA    where the data lie              (README.md beside this file)
#   OUT     the project to write            (default plumb-real)
#
# Exit 5 when the model or the data are not there.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
plumb=${PLUMB:-$here/../../build/release/plumb}
data=${DATA:-$here/../../../shared/data}
out=${OUT:-plumb-real}
size=${1:-normal}

bitext=customer_support/bitext/responses_long_4514.csv.gz
banking=customer_support/banking77/train.csv.gz
asked=customer_support/banking77/test.csv.gz
helpful=hh_rlhf/helpful-base.test.jsonl.gz
sampled=hh_rlhf/helpful-rejection-sampled.test.jsonl.gz

# Sizes: raw records cut before over-long ones are left out, and what a stage
# takes of them.  `normal` is for two cores and 90 minutes.
case $size in
quick)
    demos=64 pairs=60 held=60 questions=64 evaluated=8
    sft='--epochs 1 --batch 8'
    reward='--epochs 1 --batch 6'
    ppo='--iterations 2 --batch 8 --max-new 24 --norm-prompts 8'
    eval='--n-prompts 8 --samples 2 --max-new 24'
    probe='--n-prompts 4 --training-prompts 8 --demos 8 --push-prompts 4
        --push-samples 2 --probes edits,pairs,prefixes,reference,push'
    shown=16
    ;;
normal)
    demos=1000 pairs=1545 held=2001 questions=800 evaluated=160
    sft='--epochs 1 --batch 8'
    reward='--epochs 1 --batch 8'
    ppo='--iterations 24 --batch 32 --max-new 64 --norm-prompts 64'
    eval='--n-prompts 160 --samples 2 --max-new 64'
    probe='--n-prompts 64 --training-prompts 128 --demos 200 --push-prompts 32'
    shown=320
    ;;
full)
    demos=4000 pairs=1545 held=2001 questions=4000 evaluated=256
    sft='--epochs 2 --batch 8'
    reward='--epochs 2 --batch 8'
    ppo='--iterations 100 --batch 64 --max-new 96 --norm-prompts 256'
    eval='--n-prompts 256 --samples 4 --max-new 96'
    probe= shown=512
    ;;
*)
    echo "usage: run.sh [quick|full]" >&2
    exit 2
    ;;
esac

missing=
for file in "$bitext" "$banking" "$asked" "$helpful" "$sampled"; do
    [ -f "$data/$file" ] || missing="$missing $file"
done
if [ -n "$missing" ]; then
    echo "real: no data in $data; wanted there:" >&2
    for file in $missing; do echo "    $file" >&2; done
    echo "DATA=DIR says where they lie; see $here/README.md" >&2
    exit 5
fi

command -v jq >/dev/null || {
    echo 'real: jq is needed to read which changes the diagnosis asks for' >&2
    exit 5
}

model=${MODEL:-}
[ -n "$model" ] || model=$("$here/../../tools/get-smollm2.sh")

# What an earlier run left, and nothing else that may stand there.
for part in data sft reward gold ppo eval probes human whatif diagnosis.json \
    changes.txt report.html times.txt; do
    rm -rf "${out:?}/$part"
done
mkdir -p "$out/data"

# step NAME COMMAND...: run it and say how long it took.
step() {
    name=$1
    shift
    began=$(date +%s)
    "$@"
    echo "$name: $(($(date +%s) - began)) s" | tee -a "$out/times.txt" >&2
}

# Cut a file into disjoint parts: take FILE OUT SKIP TAKE OPTIONS...
take() {
    from=$1 to=$2 skip=$3 n=$4
    shift 4
    "$plumb" import "$from" --shuffle-seed 1 --skip "$skip" --take "$n" \
        --out "$out/data/$to" "$@"
}

prepare() {
    take "$data/$bitext" demos.jsonl 0 "$demos" \
        --prompt-column instruction --response-column response
    # Questions: what the bank's customers ask, and the shop's that have not
    # been in the demonstrations.
    take "$data/$bitext" shop.jsonl 4200 $((questions / 4)) \
        --prompt-column instruction --id-prefix shop-
    take "$data/$banking" bank.jsonl 0 "$questions" --prompt-column text \
        --id-prefix bank-
    cat "$out/data/shop.jsonl" "$out/data/bank.jsonl" >"$out/data/both.jsonl"
    take "$out/data/both.jsonl" prompts.jsonl 0 "$questions"
    take "$data/$asked" asked.jsonl 0 "$evaluated" --prompt-column text
    # Pairs: both files, cut into three parts that share no pair.  A dozen are
    # of two prompts each and are left out by name.
    {
        "$plumb" import "$data/$helpful" --skip-bad 20 --id-prefix base-
        "$plumb" import "$data/$sampled" --skip-bad 20 --id-prefix sampled-
    } >"$out/data/pairs.jsonl"
    take "$out/data/pairs.jsonl" reward.jsonl 0 "$pairs"
    take "$out/data/pairs.jsonl" gold.jsonl "$pairs" "$pairs"
    all=$(wc -l <"$out/data/pairs.jsonl")
    take "$out/data/pairs.jsonl" heldout.jsonl $((all - held)) "$held"
}

# A stage with its settings; bf16 where the processor multiplies it.
run() {
    "$plumb" "$@" -c "$here/$1.yaml" --compute auto
}

# Two changes to try, as plumb whatif takes them: those that the diagnosis asks
# for, and where it asks for fewer (of what only people can do, it names none) a
# dearer KL and a price of length, the first that anybody would try.
choose_changes() {
    {
        jq -r '.remedies[] | .name // empty | select(. != "")' \
            "$out/diagnosis.json"
        echo beta=0.2
        echo length-penalty=0.005
    } | awk '{ key = $0; sub(/=.*/, "", key) } !seen[key]++' | head -2 \
        >"$out/changes.txt"
    echo "changes to try: $(tr '\n' ' ' <"$out/changes.txt")" >&2
}

# What they do, one seed each, and the diagnosis again, which then knows it.
try_changes() {
    set --
    while read -r change; do
        set -- "$@" --change "$change"
    done <"$out/changes.txt"
    "$plumb" whatif "$out" "$@" --compute auto
}

step data prepare
# shellcheck disable=SC2086 # lists of words
{
    step sft run sft --model "$model" --data "$out/data/demos.jsonl" $sft \
        --out "$out/sft"
    step reward run reward --model "$out/sft" --data "$out/data/reward.jsonl" \
        --heldout "$out/data/heldout.jsonl" $reward --out "$out/reward"
    step gold run reward --model "$out/sft" --data "$out/data/gold.jsonl" \
        --heldout "$out/data/heldout.jsonl" $reward --seed 2 --out "$out/gold"
    step ppo run ppo --model "$out/sft" --reward-model "$out/reward" \
        --prompts "$out/data/prompts.jsonl" $ppo --out "$out/ppo"
    step eval "$plumb" eval "$out" --gold-model "$out/gold" \
        --prompts "$out/data/asked.jsonl" $eval --compute auto
    step probes "$plumb" probe "$out" --compute auto $probe
}
step diagnosis "$plumb" diagnose "$out"
choose_changes
step whatif try_changes
# People may judge: `plumb label plumb-real/human/spotcheck.db` serves the page.
mkdir -p "$out/human"
step spotcheck "$plumb" label load "$out/human/spotcheck.db" "$out" \
    --pool spot-check --task spotcheck --pairs "$shown" --seed 1
step again "$plumb" diagnose "$out"
echo "report: $out/report.html" >&2
cat "$out/times.txt"
