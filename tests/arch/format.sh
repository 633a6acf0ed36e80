#!/bin/sh
# format.sh SOURCE_DIR - all C sources are as clang-format leaves them.
set -eu
cd "$1"
find src include tests bench examples -name '*.[ch]' -print 2>/dev/null | sort |
    xargs clang-format --dry-run --Werror
