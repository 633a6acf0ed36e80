#!/bin/sh
# sizes.sh SOURCE_DIR - C files have at most 600 lines, functions at most 60
# between their braces, lines at most 80 columns (clang-format does not break
# comments).
set -eu
cd "$1"
find src include tests bench examples -name '*.[ch]' -print 2>/dev/null | sort |
    xargs awk '
        function end_file() {
            if (name != "" && lines > 600) {
                print name ": " lines " lines, 600 are allowed"
                bad = 1
            }
        }
        FNR == 1 { end_file(); name = FILENAME; start = 0 }
        { lines = FNR }
        length($0) > 80 {
            print FILENAME ":" FNR ": " length($0) " columns, 80 are allowed"
            bad = 1
        }
        /^{/ { start = FNR }
        /^}/ {
            if (start && FNR - start - 1 > 60) {
                print name ":" start ": a function of " FNR - start - 1 \
                      " lines, 60 are allowed"
                bad = 1
            }
            start = 0
        }
        END { end_file(); exit bad }'
