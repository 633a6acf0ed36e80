#!/bin/sh
# ui.sh [build|check|types|modules] - the pages of plumb label and watch.
#
#     modules  fetch what package-lock.json names into build/ui (the default of
#              nothing else: the source tree stays as it is)
#     build    bundle src/serve/ui into src/serve/ui/dist, which is committed
#     check    bundle it elsewhere and compare with what is committed
#     types    read the JSDoc types of all scripts
#
# A build of plumb needs none of this: it embeds dist as it is.  Exits with 77
# where node, npm or the packages are not to be had.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
ui=$root/src/serve/ui
work=$root/build/ui
goal=${1:-build}

for program in node npm; do
    if ! command -v $program >/dev/null 2>&1; then
        echo "ui: skipped, there is no $program (tools/setup.sh check)"
        exit 77
    fi
done

# Tests run side by side; one of them fetches, the others wait.
mkdir -p "$work"
exec 9>"$work/lock"
flock 9
if ! cmp -s "$ui/package-lock.json" "$work/installed"; then
    cp "$ui/package.json" "$ui/package-lock.json" "$ui/.npmrc" "$work/"
    if ! (cd "$work" && npm ci --ignore-scripts --prefer-offline \
        --fetch-retries=1 --fetch-retry-mintimeout=1000 >npm.log 2>&1); then
        tail -n 5 "$work/npm.log" | cut -c 1-200
        echo "ui: skipped, npm could not fetch the packages"
        exit 77
    fi
    cp "$ui/package-lock.json" "$work/installed"
fi
flock -u 9

modules=$work/node_modules
case $goal in
modules) ;;
build) node "$ui/build.mjs" "$modules" "$ui/dist" ;;
check) node "$ui/build.mjs" "$modules" "$ui/dist" --check ;;
types) "$modules/.bin/tsc" -p "$ui/tsconfig.json" ;;
*)
    echo "usage: ui.sh [build|check|types|modules]" >&2
    exit 2
    ;;
esac
