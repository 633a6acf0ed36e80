#!/bin/sh
# models.sh PLUMB - where a model is looked for, and the commands that read
# one: on a model small enough for sanitizers.
here=$(cd "$(dirname "$0")" && pwd)
. "$here/check.sh"
shape='--channels 8 --layers 1 --heads 2 --kv-heads 1 --feed-forward 8'
unset HF_HUB_CACHE HF_HOME XDG_CACHE_HOME
HOME=$work
export HOME

expect 0 world tokenizer --out desk
expect 0 world demos --demos 96 --out demos.jsonl
# shellcheck disable=SC2086 # a list of words
expect 0 sft --data demos.jsonl --tokenizer desk $shape --epochs 1 --out sft
model=sft/checkpoints/$(ls sft/checkpoints | tail -1)

# A cached repository is used by its name, and recorded by it.
commit=0123456789abcdef0123456789abcdef01234567
repository=.cache/huggingface/hub/models--shop--tiny
mkdir -p $repository/refs $repository/snapshots
printf %s $commit >$repository/refs/main
cp -r "$model" $repository/snapshots/$commit
expect 0 inspect shop/tiny --json
holds jq -e '.kind == "model" and .head == "lm"' out
expect 0 generate -m shop/tiny --prompt hello --greedy --json
cp out by-name
expect 0 generate -m "$model" --prompt hello --greedy --json
holds [ "$(jq -c '[.response_ids, .logp]' by-name)" = \
    "$(jq -c '[.response_ids, .logp]' out)" ]
expect 0 sft --data demos.jsonl -m shop/tiny --epochs 1 --out again
says again/config.yaml 'model: "hf:shop/tiny"'
says again/config.yaml 'model_sha256:'
expect 0 sft -c again/config.yaml --out again2
holds cmp again/metrics.jsonl again2/metrics.jsonl
holds cmp again/config.yaml again2/config.yaml

# What is not in the cache is never fetched: the command that does is told.
expect 5 generate -m shop/none --prompt hello
says errors "shop/none is neither a path nor in the Hugging Face cache $work/.cache"
holds [ "$(tail -1 errors)" = "try: hf download shop/none" ]
expect 5 inspect hf:shop/tiny@v2
holds [ "$(tail -1 errors)" = "try: hf download shop/tiny --revision v2" ]
expect 5 sft --data demos.jsonl -m hf:none --out x
holds [ "$(tail -1 errors)" = "try: hf download none" ]
holds [ ! -e x ]
expect 2 inspect hf:../x
says errors "is no repository's name"
printf '../../../..' >$repository/refs/main
expect 4 inspect shop/tiny
says errors "does not hold a commit"
printf %s $commit >$repository/refs/main
HF_HUB_CACHE=$work/elsewhere
export HF_HUB_CACHE
expect 5 inspect shop/tiny
says errors "$work/elsewhere"
unset HF_HUB_CACHE

# Text to ids and back, line by line or as a whole; bad input is named.
tokens() {
    "$plumb" tokenize "$@" >out 2>errors
}
printf 'where is order #Q4?\n\nhello' >text
tokens -m "$model" --json <text
holds [ "$(jq -c length out | tr '\n' ' ')" = "7 0 1 " ]
cp out ids.json
holds [ "$("$plumb" generate -m "$model" --prompt 'hello' --greedy --json |
    jq ".prompt_ids | index($(tail -1 out))" | head -1)" != null ]
tokens -m desk <text
holds [ "$(tr -c '0-9\n' ' ' <ids.json | sed 's/^ //; s/ $//')" = "$(cat out)" ]
cp out ids.txt
for ids in ids.json ids.txt; do
    tokens -m shop/tiny --decode <$ids
    holds [ "$(cat out)" = "$(cat text)" ]
done
tokens -m desk/tokenizer.json --decode --json <ids.json
holds [ "$(jq -rs 'join("|")' out)" = 'where is order #Q4?||hello' ]
tokens -m desk --raw <text
holds [ "$(wc -l <out)" = 1 ]
cp out ids.raw
tokens -m desk --raw --decode <ids.raw
holds [ "$(cat out)" = 'where is order #Q4? hello' ]
holds [ "$(wc -l <out)" = 0 ]
echo '<eos>' | tokens -m desk --special
holds [ "$(cat out)" = "$(jq '.added_tokens[] |
    select(.content == "<eos>").id' desk/tokenizer.json)" ]
fails() {
    checks=$((checks + 1))
    "$plumb" tokenize -m desk "$@" <in >out 2>errors
    [ $? -eq 4 ] && return
    echo "tokenize -m desk $* does not fail"
    bad=$((bad + 1))
}
echo '<eos>' >in
fails
printf 'hello\nhello \377' >in
fails
says errors "<stdin>:2: byte 7 is not UTF-8"
holds [ "$(wc -l <out)" = 1 ]
for ids in x -1 '1 2x' 4294967297 99999 '1;2'; do
    printf '1\n%s\n' "$ids" >in
    fails --decode
    says errors "<stdin>:2"
done
expect 2 tokenize
says errors "tokenize.model is not set"
expect 5 tokenize -m nowhere
expect 5 tokenize -m sft/checkpoints

# A prompt as text, as ids, laid out otherwise.
expect 0 generate -m "$model" --prompt hello --greedy --max-new 4 --json
cp out by-text
ids=$(jq -c .prompt_ids by-text)
for form in "$ids" "$(echo "$ids" | tr -d '[]')"; do
    expect 0 generate -m "$model" --prompt-ids "$form" --greedy --max-new 4 --json
    holds cmp out by-text
done
expect 0 generate -m "$model" --prompt hello --chat none --greedy --json
holds [ "$(jq -c .prompt_ids out)" = "[$(echo hello |
    "$plumb" tokenize -m desk)]" ]
expect 0 generate -m "$model" --prompt hello --chat support --greedy \
    --max-new 4 --json
holds cmp out by-text
expect 2 generate -m "$model" --prompt hello --chat nonsense
says errors nonsense
says errors none
for ids in '' x 1,,x 1.5 -1 4294967296; do
    expect 2 generate -m "$model" --prompt-ids "$ids"
    says errors "generate.prompt_ids = $ids"
done
expect 4 generate -m "$model" --prompt-ids 99999
expect 2 generate -m "$model" --prompt hello --prompt-ids 1

# Logits: the likeliest token is the one a greedy reply begins with.
expect 0 inspect "$model" --logits --prompt hello --top 10 --json
holds [ "$(jq .top[0].id out)" = "$(jq .response_ids[0] by-text)" ]
holds jq -e '(.top | length) == 10 and
    (.top == (.top | sort_by(-.logit))) and (.top[0].token | length > 0)' out
cp out by-text.top
expect 0 inspect "$model" --logits --json --prompt-ids "$(jq -c .prompt_ids out)"
holds cmp out by-text.top
# logp is the log-softmax of all that may be sampled.
expect 0 inspect sft --logits --prompt hello --top 1000 --json
banned=$(jq -c .suppress_tokens "$model/generation_config.json")
holds [ "$(jq --argjson banned "$banned" '[.top[] |
    select(.id as $id | $banned | index($id) | not).logit] | . as $z | max as $m | $z[0] - $m -
    ($z | map(. - $m | exp) | add | log) | . * 1000 | round' out)" = \
    "$(jq '.logp[0] * 1000 | round' by-text)" ]
expect 0 inspect sft --logits --prompt hello
says out '{"id":'
expect 2 inspect sft --logits
says errors "one of --prompt TEXT and --prompt-ids"
expect 2 inspect sft --prompt hello
expect 2 inspect sft --logits --prompt-ids 1,x
expect 4 inspect sft --logits --prompt-ids 99999

# Scores, a row a record.
expect 0 world tickets --split ranking --tickets 12 --out ranked.jsonl
expect 0 generate -m sft --prompts ranked.jsonl --samples 3 --max-new 12 \
    --out candidates.jsonl
expect 0 world rank --data candidates.jsonl --out rankings.jsonl
expect 0 reward --data rankings.jsonl --model sft --epochs 1 --out reward
expect 0 score -m reward --data rankings.jsonl --json
holds [ "$(jq -c '[.id, (.score | length)]' out)" = \
    "$(jq -c '[.id, (.responses | length)]' rankings.jsonl)" ]
cp out scores
expect 0 score -m reward --data rankings.jsonl --out scored.jsonl
holds cmp scored.jsonl scores
jq -c '{id, prompt, response: .responses[1], finish: .finish[1]}' \
    candidates.jsonl >second.jsonl
expect 0 score -m reward --data second.jsonl --json
holds [ "$(jq -c '[.id, .score]' out)" = "$(jq -c '[.id, .score[1]]' scores)" ]
expect 0 score -m reward --data second.jsonl
holds [ "$(wc -l <out)" = 13 ]
jq -c '{id, prompt, chosen: .responses[0], rejected: .responses[2]}' \
    candidates.jsonl >pairs.jsonl
jq -c '{id, prompt: [{role: "user", content: .prompt}],
    chosen: [{role: "assistant", content: .responses[0]}],
    rejected: [{role: "assistant", content: .responses[2]}]}' \
    candidates.jsonl >messages.jsonl
expect 0 score -m reward --data pairs.jsonl --json
cp out pairs
holds [ "$(jq -c '.score | length' pairs | sort -u)" = 2 ]
expect 0 score -m reward --data messages.jsonl --json
holds cmp out pairs
expect 4 score -m reward --data ranked.jsonl
says errors "has no response"
expect 4 score -m sft --data rankings.jsonl
expect 4 inspect reward --logits --prompt hello
expect 5 score -m reward --data nowhere.jsonl
# It reads files as the stages do: keys, bad records, long ones; and a text
# without a token has no state that a score could be read from.
{
    jq -c '{question: .prompt, answer: .response, finish}' second.jsonl |
        head -2
    echo '{"question":1}'
} >named.jsonl
expect 4 score -m reward --data named.jsonl --prompt-key question \
    --response-key answer
expect 0 score -m reward --data named.jsonl --prompt-key question \
    --response-key answer --skip-bad 1 --json
holds [ "$(jq -c .score out)" = "$(head -2 scores | jq -c .score[1])" ]
says errors 'skipped: 1 bad'
echo '{"text":"","finish":"length"}' >empty.jsonl
expect 4 score -m reward --data empty.jsonl
says errors 'no tokens'
expect 2 score -m reward

# A GGUF file: what it says of itself, and when it says too much.
golden=$here/../data/gguf/metadata.gguf
expect 0 inspect "$golden" --json
holds jq -e '.kind == "gguf" and .architecture == "llama" and
    .metadata["u32"] == 4294967295 and .metadata["array.text"].items == 4 and
    (.tensors | length) == (.types | add)' out
expect 0 inspect "$golden"
says out "architecture: llama"
head -c 100 "$golden" >cut.gguf
expect 4 inspect cut.gguf
says errors "cut.gguf"

# Models for others: a folder of another type, an adapter folded in.
expect 0 export sft --out given --type bf16 --json
holds jq -e '.format == "folder" and .type == "bf16" and .head == "lm"' out
expect 0 inspect given/model.safetensors --json
holds jq -e '[.tensors[].dtype] | unique == ["BF16"]' out
holds cmp given/tokenizer.json "$model/tokenizer.json"
expect 0 export given --out widened --type f32
expect 0 generate -m given --prompt hello --greedy --json
cp out given.json
expect 0 generate -m widened --prompt hello --greedy --json
holds [ "$(jq -c .logp out)" = "$(jq -c .logp given.json)" ]
expect 2 export sft --out given
says errors "given is there; --overwrite replaces it"
expect 0 export sft --out given --overwrite
holds cmp given/model.safetensors "$model/model.safetensors"
expect 0 export reward --out rewarding --type f16
expect 0 score -m rewarding --data rankings.jsonl --json
holds [ "$(wc -l <out)" = 12 ]

# A slope by length goes where the reward model goes, with a word about others.
expect 0 reward --data rankings.jsonl --model sft --epochs 1 --out leaning \
    --length-gain 0.5
expect 0 inspect leaning/checkpoints/* --json
holds jq -e '.length_gain == 0.5' out
expect 0 score -m rewarding --data rankings.jsonl --json
cp out before
expect 0 export leaning --out leant --type f16
says errors "only Plumb adds: other programs will read other scores"
expect 0 score -m leant --data rankings.jsonl --json
cp out leant.json
# Half a score for each of some tokens.
holds jq -en --slurpfile plain before --slurpfile leant out \
    '[$plain, $leant | map(.score) | flatten] | transpose |
     map((.[1] - .[0]) * 2 | . > 0.9 and ((. - round) | fabs) < 1e-4) |
     length > 12 and all'
expect 4 export leaning --out x.gguf --gguf
# Nothing but length, as a reward model like any other.
expect 0 reward --data rankings.jsonl --model sft --length-only 12 --out lengthy
expect 0 inspect lengthy/checkpoints/* --json
holds jq -e '.length_target == 12 and .length_gain == 0' out
expect 0 score -m lengthy --data rankings.jsonl --json
holds jq -en --slurpfile plain before --slurpfile leant leant.json \
    --slurpfile only out '[$plain, $leant, $only | map(.score) | flatten] |
    transpose | map(((.[1] - .[0]) * 2 | round) as $tokens |
        (1 - (($tokens / 12 - 1) | fabs) - .[2] | fabs) < 1e-6) |
    length > 12 and all'
head -n 8 rankings.jsonl | jq -c '{id, prompt}' >asked.jsonl
expect 0 ppo --model sft --reward-model lengthy --prompts asked.jsonl \
    --iterations 1 --batch 4 --max-new 12 --norm-prompts 8 --out by_length
holds jq -e '.["score/raw_mean"] <= 1' by_length/metrics.jsonl
expect 0 export reward --out rewarding --overwrite
holds [ ! -s errors ]
expect 0 sft --data demos.jsonl -m "$model" --epochs 1 --out adapted \
    --lora-rank 2 --lora-targets all-linear
adapter=adapted/checkpoints/$(ls adapted/checkpoints | tail -1)
expect 0 inspect "$adapter" --json
holds jq -e '.kind == "adapter" and .r == 2 and .parameters > 0 and
    (.base | length > 0)' out
expect 2 export "$adapter" --out merged
says errors "--merge folds it into its base"
expect 0 export "$adapter" --out merged --merge
expect 0 export adapted --out newest # the run folds it in itself
holds cmp merged/model.safetensors newest/model.safetensors
# PEFT writes no tokenizer beside an adapter: the base's is taken.
cp -r "$adapter" bare
rm bare/tokenizer.json bare/tokenizer_config.json
expect 0 export bare --out merged2 --merge
holds cmp merged/model.safetensors merged2/model.safetensors
holds cmp merged/tokenizer.json merged2/tokenizer.json
expect 0 generate -m bare --prompt hello --greedy --max-new 2
expect 0 inspect bare --logits --prompt hello
holds sh -c "! cmp -s merged/model.safetensors '$model/model.safetensors'"

# Between a model and its reference: at 0 one, at 1 the other; half way of an
# adapter is the adapter at half its alpha.
expect 0 export newest --interpolate 0 --with sft --out back --json
holds jq -e '.interpolate == 0 and .with == "sft"' out
holds cmp back/model.safetensors "$model/model.safetensors"
expect 0 export newest --interpolate 1 --with sft --out all
holds cmp all/model.safetensors newest/model.safetensors
expect 0 export newest --interpolate 0.5 --with sft --out half
holds sh -c '! cmp -s half/model.safetensors newest/model.safetensors'
expect 0 export "$adapter" --interpolate 0.5 --out weak
holds [ -s weak/adapter_model.safetensors ]
holds cmp weak/adapter_model.safetensors "$adapter/adapter_model.safetensors"
holds [ "$(jq .lora_alpha weak/adapter_config.json)" = \
    "$(jq '.lora_alpha / 2' "$adapter/adapter_config.json")" ]
expect 0 generate -m half --prompt hello --greedy --max-new 4 --json
cp out half.json
expect 0 generate -m weak --prompt hello --greedy --max-new 4 --json
# Some fifty roundings of 2^-24 a layer on either side.
holds jq -se '[.[0].logp, .[1].logp] | transpose
    | map(.[0] - .[1] | fabs < 1e-4) | all' half.json out
expect 2 export newest --interpolate 0.5 --out x
says errors "--with names the reference"
expect 2 export "$adapter" --interpolate 0.5 --with sft --out x
says errors "an adapter's reference is its base"
expect 2 export "$adapter" --interpolate 0 --out x
expect 4 export reward --interpolate 0.5 --with sft --out x
expect 2 export newest --interpolate 1.5 --with sft --out x
holds [ ! -e x ]

expect 2 export sft
says errors "out is not set"
expect 2 export sft --out x --type q8_0
says errors "--gguf"
expect 2 export sft --out given --gguf
says errors "given is a directory"
expect 4 export sft --out x.gguf --gguf
says errors "llama.cpp has no form for a WordLevel model"
expect 4 export reward --out x.gguf --gguf
says errors "no score head"
expect 5 export nowhere --out x
holds [ ! -e x.gguf ]

# A plan is made for whatever may be trained: an adapter, a GGUF file.
expect 0 sft --data demos.jsonl -m bare --dry-run --out x
holds [ ! -e x ]

# What cannot be written is said before anything is computed.
for out in absent/x.jsonl desk; do
    expect 1 generate -m "$model" --prompts demos.jsonl --out $out
    holds sh -c '! grep -q "records read" errors'
done
says errors "cannot write desk: it is a directory"
expect 1 import demos.jsonl --out absent/x.jsonl
says errors "cannot write in absent"

# A directory where a file is wanted, a file where a model is.
expect 4 generate -m "$model" --prompts desk
says errors "desk is a directory, not a file"
expect 4 sft --data desk -m "$model" --out x
says errors "desk is a directory, not a file"
expect 2 sft -c desk --out x
expect 4 generate -m demos.jsonl --prompt hello
says errors "demos.jsonl is neither a directory nor a .gguf file"
finish
