#!/bin/sh
# run.sh NAME [PLUMB UI_SEED] - the tests of NAME.test.mjs.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)

"$root/tools/ui.sh" modules
if [ $# -gt 1 ]; then
    CHROMIUM=${CHROMIUM:-$(command -v chromium || true)}
    if [ -z "$CHROMIUM" ]; then
        echo "ui: skipped, there is no chromium (tools/setup.sh check)"
        exit 77
    fi
    export CHROMIUM PLUMB="$2" UI_SEED="$3"
fi
UI_MODULES=$root/build/ui/node_modules exec node --test "$here/$1.test.mjs"
