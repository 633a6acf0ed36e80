#!/bin/sh
# setup.sh [build|check|count|bench|mpi|pack|tidy|plain|arm64] - install the
# Debian packages that are missing.
#
# Does nothing, and needs no network, when all are there.  Installs as root or
# through sudo; with neither, prints what is wanted and stops.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
goal=${1:-build}

# A goal needs its own packages and those of the goals before it.
case $goal in
build) kinds='build' ;;
check) kinds='build check' ;;
count) kinds='count' ;;
bench) kinds='build bench' ;;
mpi) kinds='build mpi' ;;
pack) kinds='build pack' ;;
tidy) kinds='build check tidy' ;;
plain) kinds='build check plain' ;;
arm64) kinds='build plain arm64' ;;
*)
    echo "usage: setup.sh [KIND], a kind of the list at its head" >&2
    exit 2
    ;;
esac

wanted=$(awk -v kinds="$kinds" '
    BEGIN { split(kinds, k, " "); for (i in k) ok[k[i]] = 1 }
    $1 in ok { print $2, $3 }' "$here/packages.txt" |
    while read -r package program; do
        [ -n "$program" ] && command -v "$program" >/dev/null 2>&1 ||
            printf '%s ' "$package"
    done)

if ! command -v dpkg-query >/dev/null 2>&1; then
    echo "setup: not a Debian system; needed are the equivalents of:" >&2
    echo "    $wanted" >&2
    exit 0
fi

missing=
for package in $wanted; do
    state=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) ||
        state=absent
    [ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" -ne 0 ]; then
    # Without a terminal nobody can type a password.
    if command -v sudo >/dev/null 2>&1 &&
        { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
        as_root=sudo
    else
        echo "setup: these packages are missing and there are no rights to" \
            "install them:" >&2
        echo "   $missing" >&2
        echo "try: apt-get install$missing" >&2
        exit 1
    fi
fi

echo "setup: installing$missing" >&2
$as_root apt-get update -qq
# sudo hands on no variable that it is not given on its own line.
# shellcheck disable=SC2086 # a list of words
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y \
    --no-install-recommends $missing
