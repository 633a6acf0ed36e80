# serving.sh - for black-box tests that need a labelling server; sourced behind
# check.sh.

# open DB: serve it, and leave its port in $port.
open() {
    "$plumb" label "$1" --port 0 --json >serving 2>serving.log </dev/null &
    server=$!
    tries=0
    while [ -z "$(jq .port serving 2>/dev/null)" ] && [ $tries -lt 100 ]; do
        sleep 0.1
        tries=$((tries + 1))
    done
    port=$(jq .port serving)
}

# close: and see it end as it was told to.
close() {
    kill -TERM "$server"
    wait "$server"
    holds [ $? -eq 143 ]
}
