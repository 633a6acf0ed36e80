#!/bin/sh
# dist.sh source|binary|check [BUILD_DIR] - tarballs of a release in build/dist,
# the same bytes for the same commit.
#
#   source  plumb-VERSION.tar.gz: what is committed, as committed
#   binary  plumb-VERSION-linux-ARCH.tar.gz: what BUILD_DIR installs, with a
#           README-dist that says which libraries it needs
#   check   build the source tarball in an empty directory, run the program
set -eu
goal=${1:-source}
cd "$(dirname "$0")/.."
version=$(sed -n 's/^#define PLUMB_VERSION "\(.*\)"/\1/p' include/plumb.h)
to=build/dist
name=plumb-$version
mkdir -p $to

# Files bear the time of the commit, in the source tarball through git.
stamp=$(git log -1 --format=%ct)

make_source() {
    git diff --quiet HEAD ||
        echo "dist: what is not committed is left out" >&2
    git archive --format=tar --prefix="$name/" HEAD | gzip -n -9 \
        >"$to/$name.tar.gz"
    echo "$to/$name.tar.gz"
}

# The libraries that a program asks for by name: "libzstd.so.1  libzstd1".
needed() {
    objdump -p "$@" | awk '$1 == "NEEDED" && !/ld-linux/ { print $2 }' |
        sort -u | while read -r library; do
            package=$(dpkg-query -S "*/$(uname -m)-linux-gnu/$library" \
                2>/dev/null | head -1 | cut -d: -f1) || package=
            printf '    %-24s %s\n' "$library" "$package"
        done
}

# Libraries under the LGPL may be exchanged for others by whoever has the
# program: they are linked dynamically, and nothing of theirs is inside.
check_lgpl() {
    for library in libmicrohttpd libc; do
        if ! objdump -p "$1" | grep -q "NEEDED *$library\.so"; then
            echo "dist: $1 does not link $library dynamically" >&2
            exit 1
        fi
    done
    if nm "$2" | grep -q ' [Tt] MHD_start_daemon'; then
        echo "dist: $2 contains libmicrohttpd" >&2
        exit 1
    fi
}

make_binary() {
    build=$1
    full=$name-linux-$(uname -m)
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    DESTDIR=$work/stage cmake --install "$build" --strip --prefix /opt/plumb \
        >/dev/null
    mv "$work/stage/opt/plumb" "$work/$full"
    check_lgpl "$work/$full/bin/plumb" "$build/plumb"
    {
        sed "s/@VERSION@/$version/g" tools/README-dist.in
        needed "$work/$full/bin/plumb" "$work/$full"/lib*/libplumb.so.*
    } >"$work/$full/README-dist"
    tar -C "$work" --sort=name --mtime="@$stamp" --owner=0 --group=0 \
        --numeric-owner --mode=go=rX,u+rw -cf - "$full" |
        gzip -n -9 >"$to/$full.tar.gz"
    echo "$to/$full.tar.gz"
}

check_source() {
    make_source
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    tar -xf "$to/$name.tar.gz" -C "$work"
    (
        cd "$work/$name"
        cmake --preset release --log-level=WARNING >/dev/null
        cmake --build --preset release --target pack -j "${JOBS:-2}" >/dev/null
        [ "$(build/release/plumb version)" = "plumb $version" ]
    )
    echo "dist: $name.tar.gz builds"
}

case $goal in
source) make_source ;;
binary) make_binary "${2:-build/release}" ;;
check) check_source ;;
*)
    echo "usage: dist.sh source|binary|check [BUILD_DIR]" >&2
    exit 2
    ;;
esac
