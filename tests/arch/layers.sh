#!/bin/sh
# layers.sh SOURCE_DIR - every #include "layer/module.h" in src/ points to its
# own folder or to one that src/LAYERS allows.
set -eu

# Check the tree at $1 against the table $2; prints every offence.
check() {
    (
        cd "$1"
        find . -name '*.[ch]' -print | sed 's|^\./||' | sort | xargs awk '
            NR == FNR {
                if (/^[a-z]/) {
                    sub(":", " ")
                    known[$1] = 1
                    may[$1, $1] = 1
                    for (i = 2; i <= NF; i++) may[$1, $i] = 1
                }
                next
            }
            FNR == 1 {
                split(FILENAME, own, "/")
                if (!(own[1] in known)) {
                    print FILENAME ": layer " own[1] " is not in LAYERS"
                    bad = 1
                }
            }
            /^#include "/ {
                split($2, dep, /["\/]/)
                if (dep[3] == "") {
                    print FILENAME ":" FNR ": not layer/module.h: " $2
                    bad = 1
                } else if (!((own[1], dep[2]) in may)) {
                    print FILENAME ":" FNR ": " own[1] " may not include " $2
                    bad = 1
                }
            }
            END { exit bad }' "$2"
    )
}

# The check itself must fail on an upward include.
planted=$(mktemp -d)
trap 'rm -rf "$planted"' EXIT
mkdir "$planted/base" "$planted/cli"
printf 'base:\ncli: base\n' >"$planted/LAYERS"
printf '#include "base/a.h"\n' >"$planted/cli/a.c"
printf '#include "base/b.h"\n' >"$planted/base/a.c"
if ! check "$planted" "$planted/LAYERS" >/dev/null; then
    echo "layers.sh refuses a tree that is in order"
    exit 1
fi
printf '#include "cli/a.h"\n' >"$planted/base/b.c"
if check "$planted" "$planted/LAYERS" >/dev/null; then
    echo "layers.sh does not see an upward include"
    exit 1
fi

source=$(cd "$1" && pwd)
check "$source/src" "$source/src/LAYERS"
