#!/bin/sh
# deb.sh [JOBS] - Debian packages of what is committed, in build/deb.
#
# Built from the source tarball in a directory of its own, and held to lintian:
# an error or a warning of it is a failure.
set -eu
cd "$(dirname "$0")/.."
jobs=${1:-$(nproc)}
version=$(sed -n 's/^#define PLUMB_VERSION "\(.*\)"/\1/p' include/plumb.h)
packaged=$(sed -n '1s/.*(\(.*\)-[0-9.]*).*/\1/p' debian/changelog)
if [ "$version" != "$packaged" ]; then
    echo "deb: debian/changelog is for $packaged, include/plumb.h says" \
        "$version" >&2
    exit 1
fi
tools/setup.sh pack
tarball=$(tools/dist.sh source)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# To Debian what is in debian/ is the packager's, not the release's.
git archive --prefix="plumb-$version/" HEAD -- . ':!debian' | gzip -n -9 \
    >"$work/plumb_$version.orig.tar.gz"
tar -xf "$tarball" -C "$work"
(cd "$work/plumb-$version" &&
    dpkg-buildpackage -us -uc "-j$jobs" >"$work/log" 2>&1) || {
    tail -40 "$work/log" >&2
    exit 1
}
rm -rf build/deb
mkdir -p build/deb
find "$work" -maxdepth 1 -type f ! -name log -exec cp {} build/deb/ \;
# Root or not is the same to it, and its warning of that is no finding.
lintian --allow-root --fail-on error,warning \
    build/deb/*.changes
ls -l build/deb/*.deb
