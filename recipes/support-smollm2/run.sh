#!/bin/sh
# run.sh [quick|full] - a support assistant from real data: SmolLM2-135M is
# fine-tuned on customer-support replies, a reward model learns from people's
# rankings, PPO maximises it on customers' questions with a KL penalty to the
# fine-tuned model, and a second reward model, of other pairs, judges.
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
    eval='--n-prompts 8 --samples 1 --max-new 24'
    ;;
normal)
    demos=1000 pairs=1545 held=2001 questions=800 evaluated=64
    sft='--epochs 1 --batch 8'
    reward='--epochs 1 --batch 8'
    ppo='--iterations 24 --batch 32 --max-new 64 --norm-prompts 64'
    eval='--n-prompts 64 --samples 2 --max-new 64'
    ;;
full)
    demos=4000 pairs=1545 held=2001 questions=4000 evaluated=256
    sft='--epochs 2 --batch 8'
    reward='--epochs 2 --batch 8'
    ppo='--iterations 100 --batch 64 --max-new 96 --norm-prompts 256'
    eval='--n-prompts 256 --samples 4 --max-new 96'
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

model=${MODEL:-}
[ -n "$model" ] || model=$("$here/../../tools/get-smollm2.sh")

# What an earlier run left, and nothing else that may stand there.
for part in data sft reward gold ppo eval report.html times.txt; do
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

run() {
    "$plumb" "$@" -c "$here/$1.yaml"
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
        --prompts "$out/data/asked.jsonl" $eval
}
echo "report: $out/report.html" >&2
cat "$out/times.txt"
