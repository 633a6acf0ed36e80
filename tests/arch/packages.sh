#!/bin/sh
# packages.sh SOURCE_DIR - debian/ says what the tree says: the packages that a
# build needs, the version, the library's name; and where git has the tree, a
# tarball of it is the same bytes twice.
set -eu
cd "$1"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bad=0

same() {
    if ! diff "$work/wanted" "$work/got" >"$work/diff"; then
        echo "$1:"
        cat "$work/diff"
        bad=1
    fi
}

# Compilers are there wherever Debian packages are built.
awk '$1 == "build" && $2 != "gcc" { print $2 }' tools/packages.txt |
    sort >"$work/wanted"
awk '/^Build-Depends:/ { on = 1; sub(/^[^:]*:/, "") } /^$/ { on = 0 } on' \
    debian/control | tr -d ' ' | tr ',' '\n' | grep -v '^debhelper' |
    grep . | sort >"$work/got"
same "tools/packages.txt and Build-Depends of debian/control"
if [ "$(wc -l <"$work/got")" -lt 10 ]; then
    echo "only $(wc -l <"$work/got") packages were found"
    bad=1
fi

version=$(sed -n 's/^#define PLUMB_VERSION "\(.*\)"/\1/p' include/plumb.h)
echo "$version" >"$work/wanted"
sed -n '1s/.*(\(.*\)-[0-9.]*).*/\1/p' debian/changelog >"$work/got"
same "PLUMB_VERSION and debian/changelog"
echo "libplumb.so.${version%%.*} libplumb${version%%.*} #MINVER#" \
    >"$work/wanted"
head -1 "debian/libplumb${version%%.*}.symbols" >"$work/got"
same "the library's name and its symbols file"

if git rev-parse --git-dir >/dev/null 2>&1; then
    tarball=$(tools/dist.sh source 2>/dev/null)
    cp "$tarball" "$work/first"
    tools/dist.sh source >/dev/null 2>&1
    if ! cmp "$tarball" "$work/first"; then
        echo "a tarball of the same commit has other bytes"
        bad=1
    fi
fi
exit $bad
