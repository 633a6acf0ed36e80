# check.sh - for the black-box tests: a working directory, and checks that
# count.  Sourced with $1 the program; sets plumb and work, ends with `finish`.
set -u
plumb=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
bad=0
checks=0
unset SOURCE_DATE_EPOCH

# expect CODE ARGUMENTS...: run plumb; its output is in out and errors.
expect() {
    wanted=$1
    shift
    checks=$((checks + 1))
    "$plumb" "$@" >out 2>errors </dev/null
    got=$?
    if [ "$got" -ne "$wanted" ]; then
        echo "plumb $*: exit $got, wanted $wanted"
        cat errors
        bad=$((bad + 1))
    fi
}

# says FILE TEXT: the text stands in out or errors.
says() {
    checks=$((checks + 1))
    if ! grep -qF -e "$2" "$1"; then
        echo "'$2' is not in $1:"
        cat "$1"
        bad=$((bad + 1))
    fi
}

# holds COMMAND...: any check that a command can make.
holds() {
    checks=$((checks + 1))
    if ! "$@" >/dev/null; then
        echo "not so: $*"
        bad=$((bad + 1))
    fi
}

finish() {
    echo "$checks checks, $bad failed"
    [ "$checks" -gt 0 ] && [ "$bad" -eq 0 ]
    exit
}
