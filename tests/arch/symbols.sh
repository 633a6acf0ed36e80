#!/bin/sh
# symbols.sh SOURCE_DIR BUILD_DIR - every external symbol of our libraries
# starts with the name of its module.
#
# The module is the file's name, or its part before the last _ (run_files.c
# belongs to run), with or without a plural s.  Modules that export other
# words as well stand in symbols.txt: "FILE PREFIX...".
set -eu
find "$2/src" -name 'libplumb_*.a' ! -name '*_ref.a' -print | sort |
    xargs nm -g --defined-only 2>/dev/null |
    awk '
        function starts(symbol, stem) {
            return symbol == stem || index(symbol, stem "_") == 1
        }
        FNR == NR {
            if (/^[a-z]/) for (i = 2; i <= NF; i++) extra[$1, ++n[$1]] = $i
            next
        }
        /\.c\.o:$/ { file = $1; sub(/\.c\.o:$/, "", file); next }
        NF == 3 {
            seen++
            symbol = $3
            sub(/\..*/, "", symbol) # a clone of a kernel: rope_apply.avx2
            part = file
            sub(/_[^_]*$/, "", part)
            single = file
            sub(/s$/, "", single)
            if (starts(symbol, file) || starts(symbol, part) ||
                starts(symbol, single) || starts(symbol, part "s"))
                next
            # What sanitizers add is theirs.
            if (symbol ~ /^(__|_GLOBAL_)/)
                next
            for (i = 1; i <= n[file]; i++)
                if (index(symbol, extra[file, i]) == 1) next
            print file ".c exports " $3
            bad = 1
        }
        END {
            if (seen < 100) {
                print "only " seen + 0 " symbols found: nothing was checked"
                bad = 1
            }
            exit bad
        }' "$1/tests/arch/symbols.txt" -
