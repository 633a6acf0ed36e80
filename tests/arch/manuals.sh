#!/bin/sh
# manuals.sh PLUMB - the manual pages are correct mdoc, and every option of
# every command stands in its page and in its --help.
set -eu
plumb=$1
work=$(mktemp -d)
backspace=$(printf '\b')
trap 'rm -rf "$work"' EXIT
bad=0

command -v mandoc >/dev/null || {
    echo 'manuals.sh: no mandoc, which reads the pages'
    exit 1
}

lint() {
    # Pages that are not installed, such as each other, are not to be found.
    mandoc -Tlint -Wstyle "$1" 2>/dev/null |
        grep -v 'referenced manual not found' >"$work/lint" || true
    if [ -s "$work/lint" ]; then
        echo "$1:"
        cat "$work/lint"
        bad=1
    fi
}

"$plumb" man >"$work/plumb.1"
lint "$work/plumb.1"
"$plumb" help --json >"$work/help.json"
rows=0
for command in $(jq -r '.commands[].name' "$work/help.json"); do
    page=$work/plumb-$command.1
    "$plumb" man "$command" >"$page"
    lint "$page"
    # Bold is a letter struck twice: letter, backspace, letter.
    mandoc -Tascii "$page" | sed "s/.$backspace//g" >"$work/page"
    "$plumb" "$command" --help >"$work/help"
    for key in $(jq -r --arg c "$command" \
        '.options[] | select(.commands | index($c)) | .key' \
        "$work/help.json"); do
        rows=$((rows + 1))
        for text in page help; do
            if ! grep -qF "$key" "$work/$text"; then
                echo "plumb $command: $key is not in its $text"
                bad=1
            fi
        done
    done
done
if [ "$rows" -lt 50 ]; then
    echo "only $rows options were found"
    bad=1
fi
exit $bad
