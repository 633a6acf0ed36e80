#!/bin/sh
# cases.sh PLUMB - runs that others published (docs/cases.md), with the verdict
# each must have told in words before it, as decided before it was run.  The
# data are not ours to ship: PLUMB_CASES says where they are.
here=$(cd "$(dirname "$0")" && pwd)
data=${PLUMB_CASES:-$here/../../../shared/data}
if [ ! -d "$data/rollouts" ] || [ ! -d "$data/alpaca_eval" ] ||
    [ ! -d "$data/alpaca_farm" ]; then
    echo "skipped: the published runs are not in $data (PLUMB_CASES=FOLDER)"
    exit 77
fi
data=$(cd "$data" && pwd)
. "$here/check.sh"

# row ID CONDITION: it holds of that finding of the diagnosis in out, which is
# kept for the next one.
row() {
    holds jq -e --arg id "$1" '[.. | objects |
        select(.id? == $id and has("verdict"))] | length == 1 and
        (.[0] | '"$2"')' diagnosis
}

# diagnosed FOLDER: its diagnosis as JSON is in the file diagnosis.
diagnosed() {
    expect 0 diagnose "$1" --json
    cp out diagnosis
}

# headline TEXT: the diagnosis in out begins its sentence so.
headline() {
    holds jq -e --arg text "$1" '.sentence | startswith($text)' diagnosis
}

# unsaid TEXT: neither its sentence nor a row has it.
unsaid() {
    holds jq -e --arg text "$1" '[.. | strings | select(contains($text))] |
        length == 0' diagnosis
}

# mean FILE WHICH MEMBER: of the replies' numbers, to four digits.
mean() {
    jq -r -s --arg which "$2" '[.[] | select(.which == $which) | '"$3"'] |
        add / length * 10000 | round / 10000' "$1"
}

# ---- GPT-2 on HH: PPO and GRPO ----------------------------------------------
#
# PPO: the published means come out again.  The score is higher.  36 wins, 17
# ties and 47 losses say nothing either way: not measurable.  An LLM judged, by
# its name, and no person: nothing is said of people.
#
# (Decided before: "the score rose".  It is higher by 0.59 in the mean of 100
# prompts, with a standard error of 0.32: the rise itself is not told from
# chance, and the diagnosis says so.  docs/cases.md has that miss.)
hh=$data/rollouts/hh_gpt2_ppo_grpo_dpo
for model in 'ppo 1.1899 1.814' 'grpo 1.443 0.5359' 'dpo 0.7949 0.8447'; do
    # shellcheck disable=SC2086 # a list of words
    set -- $model
    expect 0 import samples "$hh/all_samples.json.gz" \
        "$hh/gpt4_win_rates.json.gz" --map "policy=$1,judge=gpt-4o-mini" \
        --out "$1"
    holds [ "$(mean "$1/eval/samples.jsonl" reference .score)" = 0.604 ]
    holds [ "$(mean "$1/eval/samples.jsonl" policy .score)" = "$2" ]
    holds [ "$(mean "$1/eval/samples.jsonl" policy .extra.kl)" = "$3" ]
    holds [ ! -e "$1/human/spotcheck.jsonl" ]
done

diagnosed ppo
holds jq -e '.verdict == "inconclusive"' diagnosis
row S1 '.estimate > 0 and .verdict != "not_supported"'
row judge_win '.verdict == "not_measurable" and .detail.won.estimate == 36 and
    .detail.tied.estimate == 17 and .detail.lost.estimate == 47 and
    (.text | contains("an LLM judged (gpt-4o-mini), and no person"))'
row judge_sides '.verdict == "not_measurable"'
row worse '.verdict == "not_measurable"'
row G '.verdict == "not_measurable"'
# The headline: one feature of style is seen, of eleven things that were looked
# at: "perhaps".  It claims neither that the reward rose nor what the judge
# thinks.
headline "perhaps the policy learned a style, because the policy's replies have \
more thanks and flattery (style_thanks 0."
holds jq -e '.story.firm == false and (.story.to_try | length) == 2 and
    all(.story.to_try[]; .row == "style_thanks" and .low < .high)' diagnosis

# GRPO: the score rose, and the judge prefers the policy; but not on the same
# prompts: the correlation of gain and verdict is about 0, which refutes a
# moderate one.
diagnosed grpo
holds jq -e '.verdict == "inconclusive"' diagnosis
row S1 '.verdict == "supported"'
row judge_win '.verdict == "supported" and .detail.won.estimate == 50 and
    .detail.tied.estimate == 19 and .detail.lost.estimate == 31'
row judge_gain '.estimate > -0.2 and .estimate < 0.2 and
    .low < 0 and .high > 0 and .verdict != "supported"'
# The headline: the judge likes length, but replies did not get longer, so that
# it is not for length that it prefers the policy.
row judge_length '.verdict == "supported"'
row S2a '.verdict == "not_supported"'
headline "perhaps the policy learned a style, because the policy's replies have \
more thanks and flattery (style_thanks 0."
unsaid 'for its length'

# What docs/report.md shows of the same replies without the judge.
expect 0 diagnose --import auto "$hh/all_samples.json.gz" --map policy=grpo
says out 'understood 5 of 7 fields; not ppo, dpo'
says out "perhaps the policy learned a style, because the policy's replies have \
more thanks and flattery (style_thanks 0.32 [0.02, 0.86] in a hundred words"
says out 'how sure: 1 of the 7 leads that have an interval are shown at 95 %'
says out '  + S1   the reward model scores the policy above the reference     0.33'
says out '  - S2a  replies are longer                                         1.02'
says out '  metrics: import the step-level log too (what is open)'

# DPO: neither the score nor the judge tells the policy from the reference, and
# replies got no longer.  The headline is the same style, by no more.
diagnosed dpo
holds jq -e '.verdict == "inconclusive"' diagnosis
row S1 '.verdict == "not_measurable"'
row S2a '.verdict == "not_supported"'
row judge_win '.verdict == "not_measurable" and .detail.won.estimate == 43'
headline "perhaps the policy learned a style, because the policy's replies have \
more thanks and flattery (style_thanks 0."

# ---- AlpacaFarm: longer, and nothing else is known ---------------------------
#
# 258 characters became 728.  There is neither a score nor anybody's vote: what
# rests on those is not measurable, and what would tell it is named.
farm=$data/alpaca_farm
expect 0 import alpaca-farm "$farm/outputs_sft.json.gz" \
    "$farm/outputs_rlhf.json.gz" --policy rlhf --reference sft --out farm
diagnosed farm
holds jq -e '.verdict == "inconclusive" and .evidence.replies == 504' diagnosis
row S2a '.verdict == "supported" and
    (.detail.characters_reference.estimate | round) == 258 and
    (.detail.characters.estimate | round) == 728'
row S1 '.verdict == "not_measurable"'
row worse '.verdict == "not_measurable" and (.needs | length > 0)'
row G '.verdict == "not_measurable"'
holds jq -e '[.source.missing[].id] | index("human") and index("scores")' \
    diagnosis

# ---- AlpacaEval 2: length ----------------------------------------------------
#
# One model, plain, concise and verbose, and one of one-line answers: all lose
# against the baseline, by the published shares, and all write less than it.
# The judge likes length: at equal length each would win more than it does, and
# verbose would lead concise by less.  An LLM judged, and no person.
#
# (Decided before: a rate at equal length.  In 93 to 98 of 100 pairs the
# baseline's reply is the longer one, so that there is none without going beyond
# what was seen; it is told as extrapolated and not measurable, and its order is
# not the published one.  docs/cases.md has that miss.)
eval=$data/alpaca_eval
baseline=baseline_gpt4_1106_preview
: >rates
for model in gpt-3.5-turbo-1106 gpt-3.5-turbo-1106_concise \
    gpt-3.5-turbo-1106_verbose gpt4_gamed; do
    published=$(awk -F, -v m=$model '$1 == m {print $8}' \
        "$eval/leaderboard_published.csv")
    expect 0 import alpaca-eval "$eval/preferences.tsv.gz" \
        "$eval/$baseline.jsonl.gz" "$eval/outputs/$model.jsonl.gz" \
        --policy $model --reference $baseline --out $model
    diagnosed $model
    holds jq -e '.verdict == "inconclusive" and .evidence.votes == 0 and
        .source.model_votes == 805' diagnosis
    row S2a '.verdict == "not_supported"'
    row judge_win '.verdict == "not_supported" and
        (100 * .estimate - '"$published"' | fabs) < 1e-6 and
        (.text | contains("an LLM judged") and contains("no person"))'
    row judge_win_equal '.verdict == "not_measurable" and
        .estimate > .detail.win_rate.estimate and
        .detail.shorter.estimate > 0.9 and (.needs | contains("extrapolated"))'
    row judge_length '.verdict == "supported"'
    jq -r --arg m $model '[.. | objects | select(.id? == "judge_win_equal")] |
        "\($m) \(.[0].detail.win_rate.estimate) \(.[0].estimate)"' \
        diagnosis >>rates
done
cat rates
holds awk '/concise/ {c = $2; d = $3} /verbose/ {v = $2; w = $3}
    END {exit !(w / d < v / c)}' rates

# ---- DeepSpeed-Chat: a reward and nothing else -------------------------------
#
# The reward rose, from -0.68 to about 4.5.  KL, lengths, texts and people's
# verdicts are missing and each is named: nothing more can be known.
expect 0 import deepspeed-chat "$data"/rollouts/deepspeed_chat_logs/step3*.gz \
    --out log
holds jq -e -s 'length == 477 and (.[0]["objective/scores"] * 100 | round) == -68
    and ([.[-20:][]["objective/scores"]] | add / length | . > 4 and . < 5)' \
    log/ppo/metrics.jsonl
holds jq -e '[.warnings[].id] | index("fp16_overflow") != null' log/import.json
diagnosed log
holds jq -e '.verdict == "inconclusive"' diagnosis
row trend_reward '.verdict == "supported" and .n == 477'
for id in trend_kl trend_length trend_cut S1 S2a S3 G worse; do
    row $id '.verdict == "not_measurable" and (.needs | length > 0)'
done
holds jq -e '[.source.missing[].id] | index("kl") and index("lengths") and
    index("texts") and index("human")' diagnosis

# ---- GRPO: a peak and a fall -------------------------------------------------
#
# 50.8, 57.9, 54.1 and 52.3 % at the start, 80, 100 and 200: a lead, told with
# where the highest was; four points date nothing, so neither whether it is more
# than noise nor when it began is measurable.
grpo=$data/rollouts/grpo_dapo_qwen3_8b
expect 0 import grpo-log "$grpo"/eval_sft_fold4_266q_*.gz \
    "$grpo"/eval_exp7_ckpt80_266q_*.gz "$grpo"/eval_exp7_ckpt100_266q_*.gz \
    "$grpo"/eval_exp7_ckpt200_266q_*.gz --map reference=fold_4 --out fall
holds jq -e -s '[.[]["eval/dataset_grpo_v4_mixed/accuracy"] * 266 | round] ==
    [135, 154, 144, 139]' fall/ppo/metrics.jsonl
diagnosed fall
holds jq -e '.verdict == "inconclusive"' diagnosis
row late_fall '.lead and .verdict == "not_measurable" and
    .detail.best_at.estimate == 80 and .detail.last_at.estimate == 200 and
    (.estimate * 266 | round) == -15 and
    (.needs | contains("neither whether it is more than noise nor when"))'

# The whole folder, as somebody would point at it: four runs (7 to 10), two
# models they began with, two sets of questions.  It is told that rows are there
# twice and that a model is no checkpoint of it; of the two held-out measures
# the one on 266 questions, asked more often, is told: highest at 80, lower at
# 200, which three points do not decide.  That there is no fall, which the two
# points on 54 questions would say, is not said.
expect 0 import auto "$grpo" --out folder
holds jq -e '[.warnings[].id] | index("rows_twice") or
    index("values_differ")' folder/import.json
diagnosed folder
holds jq -e '.verdict == "inconclusive"' diagnosis
row late_fall '.verdict == "not_measurable" and .estimate < 0 and
    .detail.best_at.estimate == 80 and .detail.last_at.estimate == 200 and
    (.text | contains("dataset_grpo_v4_mixed/accuracy, which has most of 2 "))'
unsaid 'there is no fall'
unsaid 'points to a fault'
finish
