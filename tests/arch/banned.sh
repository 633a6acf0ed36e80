#!/bin/sh
# banned.sh SOURCE_DIR - calls that only one file, or none, may make.
#
# banned.txt has lines "FUNCTION [FILE...]": the files of src/ that may call
# it.  Comments do not count: the preprocessor takes them out.
set -eu
cd "$1/src"
table=../tests/arch/banned.txt

# Names of functions called in a file, one per line, each once; calls through
# a member (c->clock()) are somebody else's.
calls() {
    gcc -fpreprocessed -dD -E -P "$1" 2>/dev/null |
        sed -E 's/"([^"\\]|\\.)*"/""/g; s/(->|\.)[a-z_]+ *\(//g' |
        grep -oE '\b[A-Za-z_][A-Za-z0-9_]*[[:space:]]*\(' |
        tr -d '( \t' | sort -u
}

# The check itself must see a call and not see a comment.
planted=$(mktemp)
trap 'rm -f "$planted"' EXIT
printf '/* exit(1) */\nvoid f(void)\n{\n    x->free(); abort();\n}\n' >"$planted.c"
found=$(calls "$planted.c" | tr '\n' ' ')
rm -f "$planted.c"
if [ "$found" != "abort f " ]; then
    echo "banned.sh reads calls wrongly: $found"
    exit 1
fi

for file in $(find . -name '*.[ch]' | sed 's|^\./||' | sort); do
    calls "$file" | sed "s|^|$file |"
done | awk '
    NR == FNR {
        if (!/^#/ && NF) {
            banned[$1] = 1
            for (i = 2; i <= NF; i++) may[$i, $1] = 1
        }
        next
    }
    { seen++ }
    $2 in banned && !(($1, $2) in may) {
        print $1 " calls " $2 "()"
        bad = 1
    }
    END {
        if (seen < 1000) {
            print "only " seen + 0 " calls found: nothing was checked"
            bad = 1
        }
        exit bad
    }' "$table" -
