#!/bin/sh
# headers.sh SOURCE_DIR - plumb.h by itself is C, of 1999 as of 2017, and C++.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/use.c" <<'END'
#include <plumb.h>
int use(void);
int use(void)
{
    struct plumb_load load = PLUMB_LOAD_DEFAULT;
    struct plumb_sampling sampling = PLUMB_SAMPLING_DEFAULT;
    struct plumb_diagnose_options diagnose = PLUMB_DIAGNOSE_DEFAULT;
    struct plumb_model *model = NULL;
    struct plumb_error error;
    return (int)(load.size + sampling.size + diagnose.size) +
           plumb_model_load(&model, PLUMB_VERSION, &load, &error);
}
END
checked=0

# try COMPILER...: warnings are errors.
try() {
    if "$@" -Wall -Wextra -Wpedantic -Werror -fsyntax-only -I"$include" \
        "$work/use.c"; then
        checked=$((checked + 1))
    else
        echo "not so: $*"
        exit 1
    fi
}
include=$1/include
for standard in c99 c17; do
    try gcc -std=$standard -Wstrict-prototypes
done
for compiler in g++ clang++; do
    if command -v $compiler >/dev/null 2>&1; then
        try $compiler -x c++ -std=c++11 -Wno-missing-declarations
        try $compiler -x c++ -std=c++20
    else
        echo "$compiler is not here: not tried"
    fi
done
echo "$checked ways"
