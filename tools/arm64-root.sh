#!/bin/sh
# arm64-root.sh DIR - the libraries of a build for arm64, unpacked in DIR.
#
# They are Debian's packages of the release that this system is, for another
# architecture: those that a build needs, the test library, and all that they
# depend on.  Fetched and checked by apt on lists of its own, so that neither
# rights nor changes to this system are needed.  Does nothing when they are
# there.
set -eu
cd "$(dirname "$0")/.."
root=${1:?usage: arm64-root.sh DIR}
wanted=$(awk '$2 ~ /-dev$/ && $1 == "build" || $2 == "libcmocka-dev" {
    printf "%s ", $2 } END { print "libgomp1" }' tools/packages.txt)
if [ "$wanted" = "$(cat "$root/packages" 2>/dev/null)" ]; then
    exit 0
fi
echo "arm64-root: fetching Debian's libraries for arm64" >&2
rm -rf "$root"
mkdir -p "$root/apt/lists/partial" "$root/apt/archives/partial" "$root/usr"
root=$(cd "$root" && pwd)

# shellcheck source=/dev/null
. /etc/os-release
: >"$root/apt/status"
cat >"$root/apt/sources.list" <<END
deb http://deb.debian.org/debian $VERSION_CODENAME main
deb http://deb.debian.org/debian-security $VERSION_CODENAME-security main
END
cat >"$root/apt/apt.conf" <<END
Dir::State "$root/apt";
Dir::State::status "$root/apt/status";
Dir::Cache "$root/apt";
Dir::Etc::sourcelist "$root/apt/sources.list";
Dir::Etc::sourceparts "/dev/null";
APT::Architecture "arm64";
APT::Architectures "arm64";
APT::Install-Recommends "false";
END
export APT_CONFIG="$root/apt/apt.conf"
apt-get update -qq
# shellcheck disable=SC2086 # a list of words
apt-get install -qq -y --download-only $wanted

# As on a whole system: /lib is /usr/lib, into which packages unpack.
for dir in bin lib sbin; do
    mkdir -p "$root/usr/$dir"
    ln -s "usr/$dir" "$root/$dir"
done
for package in "$root"/apt/archives/*.deb; do
    dpkg -x "$package" "$root"
done
find "$root" -lname '/*' | while read -r link; do
    ln -srfn "$root$(readlink "$link")" "$link"
done
rm -rf "$root/apt"
echo "$wanted" >"$root/packages"
