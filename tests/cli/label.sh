#!/bin/sh
# label.sh PLUMB - what is asked is loaded, people are invited, the server
# comes up and goes down as told, and damage is found.
here=$(cd "$(dirname "$0")" && pwd)
. "$here/check.sh"

# ---- loading
i=0
while [ $i -lt 40 ]; do
    echo "{\"id\":\"p$i\",\"prompt\":\"what of $i?\",\"policy\":\"new $i\"," \
        "\"reference\":[\"old $i\",\"older $i\"]}"
    i=$((i + 1))
done >pairs.jsonl
echo '{"prompt":"q","responses":["x","y","z"]}' >sets.jsonl
echo '{"id":"g","prompt":"q","responses":["x","y"],"better":0}' >gold.jsonl
echo 'Choose what you would send.' >guide.txt
expect 0 label load p.db pairs.jsonl --pool spot --task spotcheck \
    --guide guide.txt --gold gold.jsonl --seed 5 --json
holds jq -e '.schema == "plumb.label/1" and .step == "load" and
    .normal == 20 and .placebo == 20 and .repeats == 2 and .identical == 0 and
    .gold == 1 and .items == 43 and .new == 43' out
expect 0 label load p.db pairs.jsonl --pool spot --task spotcheck --json
holds jq -e '.new == 0 and .items == 42' out
expect 0 label load p.db sets.jsonl --pool rank --overlap 2 --lease 10
says out 'rank: 1 records, 1 items (1 new): 1 normal'
# Another project of the same seed draws the same, one of another does not.
expect 0 label load q.db pairs.jsonl --pool spot --task spotcheck --seed 5
expect 0 label load r.db pairs.jsonl --pool spot --task spotcheck --seed 6
sed 's/,"placebo".*//' pairs.jsonl | grep -o '^.*"reference":\["[^"]*"' |
    sed 's/$/]}/' >bare.jsonl
expect 0 label load q.db bare.jsonl --pool bare --task spotcheck
says errors 'placebo pairs fewer than --placebo asks for'

# ---- replies drawn here: of tiny models, and once more the same
shape='--channels 8 --layers 1 --heads 2 --kv-heads 1 --feed-forward 8'
expect 0 world tokenizer --out desk
expect 0 world demos --demos 96 --out demos.jsonl
expect 0 world tickets --split ranking --tickets 24 --out tickets.jsonl
# shellcheck disable=SC2086 # a list of words
expect 0 sft --data demos.jsonl --tokenizer desk $shape --epochs 1 --out sft
step=$(ls sft/checkpoints | tail -1 | sed 's/^0*//')
draw='--policy sft --prompts tickets.jsonl --max-new 12'
# shellcheck disable=SC2086 # lists of words, from here on
expect 0 label load d.db --pool 'spot 1' --task spotcheck $draw \
    --reference sft --pairs 40 --json
holds jq -e '.records == 24 and .normal == 20 and .placebo == 20 and
    .new == 42' out
says errors '144 replies to 24 prompts are in d.samples-spot%201.jsonl'
holds jq -se --argjson step "$step" 'length == 24 and
    all(.[]; (.policy | length == 2) and (.reference | length == 4) and
        (.policy + .reference | all(.run == "sft" and .step == $step and
            .tokens >= 1 and .tokens <= 12 and .temperature == 1 and
            (.finish == "eos" or .tokens == 12))))' d.samples-spot%201.jsonl
cp d.samples-spot%201.jsonl first.jsonl
# shellcheck disable=SC2086
expect 0 label load d.db --pool 'spot 1' --task spotcheck $draw \
    --reference sft --pairs 40 --threads 1 --json
holds jq -e '.new == 0' out
holds cmp first.jsonl d.samples-spot%201.jsonl
expect 0 label load d.db d.samples-spot%201.jsonl --pool 'spot 1' \
    --task spotcheck --pairs 40 --json
holds jq -e '.new == 0' out
# The policy's are those that plumb generate draws.
expect 0 generate -m sft --prompts tickets.jsonl --samples 2 --max-new 12 \
    --out drawn.jsonl
jq -c .responses drawn.jsonl >a
jq -c '[.policy[].text]' first.jsonl >b
holds cmp a b
# shellcheck disable=SC2086
expect 0 label load d.db --pool rank $draw --samples 3 --reference sft
holds jq -se 'all(.[]; [.samples[].source] ==
    ["policy", "policy", "reference"])' d.samples-rank.jsonl
# shellcheck disable=SC2086
expect 2 label load d.db --pool spot --task spotcheck $draw
says errors 'label.reference is not set'
expect 2 label load d.db --pool spot --policy sft
says errors 'label.prompts is not set'
# shellcheck disable=SC2086
expect 2 label load d.db sets.jsonl --pool spot $draw
says errors 'either drawn'
# shellcheck disable=SC2086
expect 4 label load d.db --pool rank $draw --samples 3 --seed 2
says errors 'other samples are there'

# ---- what is asked first
expect 0 world rank --data drawn.jsonl --out rankings.jsonl
for run in 1 2; do
    expect 0 reward --data rankings.jsonl --model sft --epochs 1 \
        --seed $run --out reward$run
done
# shellcheck disable=SC2086 # a list of words
expect 0 label load c.db --pool rank $draw --adaptive --random-share 0.25 \
    --reward-model reward1,reward2 --repeats 0 --identical 0
says errors 'items of the adaptive arm in order'
holds jq -se 'all(.[]; .samples | length == 4 and
    all(.score != null and .reward_model == "reward1"))' c.samples-rank.jsonl
expect 0 label choose c.db --pool rank --reward-model reward1,reward2 --json
holds jq -e '.step == "choose" and .chosen > .random and .random > 0 and
    .chosen + .random == 24 and .greedy == .chosen and .judged == 0 and
    .u_first > 0 and .u_last >= 0' out
cp out chosen.json
expect 0 label choose c.db --pool rank --reward-model reward1,reward2 --json \
    --threads 1
holds cmp out chosen.json
expect 0 label choose c.db --pool rank --reward-model reward2
says out 'of the random arm left alone'
# Chosen anew, it is still the same load; a file can be chosen from, too.
# shellcheck disable=SC2086
expect 0 label load c.db --pool rank $draw --adaptive --repeats 0 \
    --identical 0 --reward-model reward1 --json
holds jq -e '.new == 0' out
expect 0 label load c.db drawn.jsonl --pool file --adaptive \
    --reward-model reward1
expect 0 label audit c.db
expect 0 label choose d.db --pool rank --reward-model reward1
says out 'rank: no item is of the adaptive arm; a pool that is loaded with'
expect 2 label choose c.db --pool rank
says errors 'reward_model is not set'
expect 2 label choose c.db --reward-model reward1
says errors 'pool is not set'
expect 2 label choose c.db --pool rank --reward-model reward1,
says errors 'a name is empty'
expect 5 label choose c.db --pool absent --reward-model reward1
expect 5 label choose c.db --pool rank --reward-model absent
expect 4 label choose d.db --pool 'spot 1' --reward-model reward1
says errors 'stay a random sample'
expect 2 label load c.db drawn.jsonl --pool rank --adaptive
expect 2 label load c.db pairs.jsonl --pool spot --task spotcheck --adaptive \
    --reward-model reward1

# ---- what it refuses
expect 2 label
says errors 'plumb label wants'
expect 2 label load p.db --pool spot
says errors 'wants PROJECT.db and FILE'
expect 2 label load p.db sets.jsonl
says errors 'pool is not set'
expect 2 label lod p.db sets.jsonl
says errors 'there are load, invite'
expect 2 label p.db --port 70000
expect 2 label load p.db sets.jsonl --pool x --overlap many
expect 2 label load p.db sets.jsonl --pool x --prot 1
expect 4 label load p.db sets.jsonl --pool spot
says errors 'has another task'
expect 4 label load p.db sets.jsonl --pool rank --overlap 3
says errors 'has another overlap'
echo '{"id":"p3"}' >>pairs.jsonl
expect 4 label load p.db pairs.jsonl --pool spot --task spotcheck
says errors 'pairs.jsonl:41: neither'
expect 5 label load p.db absent.jsonl --pool rank
jq . sets.jsonl >spread.jsonl
expect 4 label load p.db spread.jsonl --pool rank
says errors 'spread.jsonl:1: '
says errors 'one JSON object on one line (JSON Lines)'
expect 5 label progress absent.db
holds [ ! -e absent.db ]
expect 4 label progress pairs.jsonl
says errors 'pairs.jsonl is not a database, and not a Plumb project'
head -c 20000 p.db >half.db
for word in audit standing export; do
    expect 4 label $word half.db
    says errors 'half.db is corrupt: '
done
# What fails leaves no database behind, and loads nothing of what is right.
expect 5 label load fresh.db absent.jsonl --pool rank
expect 5 label restore fresh.db absent.jsonl
expect 4 label restore fresh.db sets.jsonl
holds sh -c '! ls fresh.db* 2>ls.log'
echo '{"id":"g","prompt":"q","responses":["x","y"],"better":2}' >badgold.jsonl
expect 4 label load p.db sets.jsonl --pool half --gold badgold.jsonl
says errors 'badgold.jsonl:1'
expect 4 label load p.db sets.jsonl pairs.jsonl --pool half
expect 0 label progress p.db --json
holds jq -e '[.pools[].name] | index("half") == null' out
# The same records by other shares are other items of the same names.
head -40 pairs.jsonl >forty.jsonl
expect 4 label load p.db forty.jsonl --pool spot --task spotcheck --placebo 0.1
says errors 'it holds 40 pairs, 20 of them placebo: give the --pairs and'
mkdir folder
expect 5 label load p.db folder --pool spot --task spotcheck
says errors 'plumb eval makes it'

# ---- people
expect 0 label invite p.db --name ada --url https://label.example.org/
says out 'https://label.example.org/#token=r'
cp out first
expect 0 label invite p.db --name ada --once --json
holds jq -e '.is_new == false and (.link | test("#token=o"))' out
expect 4 label invite p.db --name ada --role admin
says errors 'is there as judge'
expect 2 label invite p.db
says errors 'name is not set'
expect 5 label invite typo.db --name ada
holds [ ! -e typo.db ]
expect 0 label invite p.db --name vera --role viewer
expect 0 label revoke p.db --name vera
expect 4 label invite p.db --name vera --role viewer
says errors 'was revoked'
expect 5 label revoke p.db --name nobody
for name in ' ' 'ada ' ' ada' "ada$(printf '\302\240')"; do
    expect 2 label invite p.db --name "$name"
    says errors 'begins or ends with a blank'
done
expect 0 label judges p.db --json
holds jq -e '.judges | length == 2 and .[1].revoked > 0' out
holds sh -c '! grep -q token= out'
expect 0 label judges p.db
says out 'revoked'
expect 0 label progress p.db --json
holds jq -e '.pools | length == 2 and .[0].items == 41 and .[0].votes == 0 and
    .[1].overlap == 2 and .[1].wanted == 2' out
expect 0 label progress p.db
says out 'rank (ranking): 0 of 1 items complete'
expect 0 label standing p.db
says out 'Nobody has voted yet.'
expect 0 label standing p.db --json
holds jq -es 'length == 2 and .[0].schema == "plumb.standing/1" and
    .[0].progress.items == 41 and (.[0].marks | length == 4) and
    (.[0].marks[0] | .measurable | not) and .[0].marks[0].more_pairs == 320' out
expect 0 label standing p.db --pool rank --json
holds jq -e '.task == "ranking" and (.win == null)' out
expect 5 label standing p.db --pool absent

# ---- out and in again
for form in canonical spotcheck rankings trl openrlhf alpacaeval arena \
    comparator helpsteer; do
    expect 0 label export p.db --format $form --pool spot --redact
done
# Whoever looks behind the blind leaves a trace, with a file or without.
expect 0 label audit p.db --json
before=$(jq .events out)
expect 0 label export p.db
expect 0 label audit p.db --json
holds [ "$(jq .events out)" -eq $((before + 1)) ]
expect 0 label export p.db -o all.jsonl --json
holds jq -e '.format == "canonical" and .lines == 0' out
expect 0 label restore again.db all.jsonl
says out '0 lines'
expect 2 label export p.db --format csv
expect 2 label export p.db --format trl -o p.db
says errors 'which an export does not replace'
ln -s p.db link.db
expect 2 label export p.db -o link.db
expect 2 label export p.db -o r.db
expect 2 label export p.db -o p.db-wal
expect 0 label audit p.db
expect 5 label export p.db --pool none
expect 5 label restore again.db none.jsonl
expect 2 label restore again.db

# An export of nothing says why.
expect 0 label export p.db --format trl
says errors "no vote on 'spot', 'rank' yet that trl has a place for"
expect 0 label export p.db --format arena
says errors "no vote on 'spot' yet that arena has a place for"
expect 0 label export p.db --format rankings --pool spot
says errors 'rankings has no place for what such pools ask'

# ---- read where nothing can be written: by nobody, since root can everywhere
mkdir still
cp p.db still/p.db
chmod 444 still/p.db
chmod 555 still
chmod 755 .
if [ "$(id -u)" -ne 0 ]; then
    user=''
elif setpriv --reuid 65534 --clear-groups "$plumb" --version >setpriv.log 2>&1
then
    user='setpriv --reuid 65534 --clear-groups'
else
    user=none
    echo 'not tested: reading as nobody, for want of setpriv or rights'
fi
if [ "$user" != none ]; then
    for word in audit standing judges progress export; do
        # shellcheck disable=SC2086 # a list of words
        holds $user "$plumb" label $word still/p.db 2>errors
    done
    says errors 'its audit log does not note this export'
    # shellcheck disable=SC2086
    $user "$plumb" label invite still/p.db --name ada >out 2>errors
    holds [ $? -eq 1 ]
    says errors 'copy it to where it can'
    holds [ "$(ls still)" = p.db ]
fi
chmod 755 still

# ---- serving: up, told where, down by either signal with its code
# serve SIGNAL CODE ARGUMENTS..., and $meanwhile while it serves
meanwhile=:
serve() {
    signal=$1
    wanted=$2
    shift 2
    rm -f serving
    "$plumb" label "$@" >serving 2>errors </dev/null &
    server=$!
    tries=0
    while [ ! -s serving ] && [ $tries -lt 100 ]; do
        sleep 0.1
        tries=$((tries + 1))
    done
    eval "$meanwhile"
    holds kill "-$signal" "$server"
    wait "$server" 2>waited
    holds [ $? -eq "$wanted" ]
}
serve TERM 143 p.db --port 0
holds grep -Eq '^http://127.0.0.1:[0-9]+$' serving
says serving '#token=o'
says errors 'every vote that was acknowledged is in it'
serve TERM 143 p.db --listen 127.0.0.1:0 --host label.example.org --tls --json
holds jq -e '.port > 0 and
    (.link | test("^https://label.example.org/#token=o"))' serving
serve INT 130 new.db --port 0
says serving 'plumb label invite new.db --name NAME'
expect 0 label audit new.db
# A database that went away under it holds nothing, and it does not say so.
meanwhile='rm new.db*'
serve TERM 1 new.db --port 0
meanwhile=:
says errors 'was removed or replaced'
holds [ "$(grep -c 'acknowledged is in it' errors)" -eq 0 ]
expect 2 label p.db --listen everywhere --port 0
expect 2 label fresh.db --listen 127.0.0.1:99999
holds [ ! -e fresh.db ]
for host in a/b 'a b' a:80 '' 'a#b'; do
    expect 2 label p.db --host "$host" --port 0
done
# What others can use stands in links: not 0.0.0.0, and https behind a proxy.
serve TERM 143 p.db --listen 0.0.0.0:0
holds grep -Eq '^http://[a-z0-9.-]*[a-z][a-z0-9.-]*:[0-9]+$' serving
holds sh -c '! grep -F 0.0.0.0 serving'
says errors 'where others do not know it by that, --host takes'
serve TERM 143 p.db --listen 0.0.0.0:0 --host 192.0.2.7 --json
holds jq -e '(.url | test("^http://192.0.2.7:[0-9]+$")) and
    (.link | test("^http://192.0.2.7:[0-9]+/#token=o"))' serving
holds sh -c '! grep "links call" errors'
serve TERM 143 p.db --port 0 --tls
holds grep -q 'https://[^:/]*/#token=o' serving
says errors 'do not reach the proxy by that'
for url in 'javascript:alert(1)' 'http://x/#token=z' '' 'http://' 'ftp://x' \
    'http://a b' 'http://x/?q' 'https:///x' 'http://x:y'; do
    expect 2 label invite p.db --name carl --url "$url"
    says errors 'is no http[s]://HOST[:PORT][/PATH]'
done
expect 2 label invite p.db --name carl --tls --url http://x
expect 0 label invite p.db --name carl --url http://192.0.2.7:81/label/
says out 'http://192.0.2.7:81/label/#token=r'
expect 0 label invite p.db --name carl --host Label.example.org --tls
says out 'https://label.example.org/#token=r'
expect 0 label invite p.db --name carl --host '[2001:db8::7]' --port 80
says out 'http://[2001:db8::7]:80/#token=r'
expect 5 label p.db --ui folder --port 0
says errors 'no index.html'
echo '<!doctype html>' >folder/index.html
serve TERM 143 p.db --port 0 --ui folder

# The last administrator is not revoked by mistake, and who did so is told.
serve TERM 143 alone.db --port 0
expect 2 label revoke alone.db --name local
says errors "'local' is the last administrator"
expect 0 label revoke alone.db --name local --force
serve TERM 143 alone.db --port 0
holds sh -c '! grep token= serving'
says errors 'plumb label invite alone.db --role admin --name NAME makes one'
expect 0 label invite alone.db --role admin --name ada
serve TERM 143 alone.db --port 0
holds sh -c '! grep "no administrator" errors'
expect 0 label invite alone.db --role admin --name eve
expect 0 label revoke alone.db --name ada
expect 2 label revoke alone.db --name eve

# ---- audit
expect 0 label audit p.db --json
holds jq -e '.events > 40 and .items == 44 and .votes == 0 and
    (.head | length == 64)' out
expect 0 label audit p.db
says out 'note this down: '
at=$(grep -abo 'what of 7?' p.db | head -1 | cut -d: -f1)
holds [ -n "$at" ]
printf 'what of 8?' | dd of=p.db bs=1 seek="$at" conv=notrunc 2>dd.log
expect 4 label audit p.db
says errors 'p.db'

finish
