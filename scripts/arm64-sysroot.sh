#!/bin/sh
# Unpacks Debian's arm64 static libraries into a directory: arm64-sysroot.sh DIRECTORY [PACKAGE...]
# The host's own package state stays as it is, and root is not needed: the arm64 index lives beside
# the packages. Does nothing where everything is there already.
set -eu

[ $# -ge 1 ] || { echo "usage: $0 DIRECTORY [PACKAGE...]" >&2; exit 1; }
mkdir -p "$1"
sysroot=$(cd "$1" && pwd)
shift
[ $# -gt 0 ] || set -- libfdt-dev

missing=
for package; do
    [ -e "$sysroot/.have/$package" ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

apt=$sysroot/.apt
mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$sysroot/.have"
apt_arm64() {
    apt-get -q -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o Dir::State::lists="$apt/lists" \
        -o Dir::Cache="$apt/cache" -o Dir::State::status=/dev/null -o Debug::NoLocking=1 \
        -o APT::Sandbox::User= "$@"
}

echo "arm64-sysroot: fetching$missing (arm64) from the Debian archive" >&2
[ -e "$apt/updated" ] || { apt_arm64 update >&2 && touch "$apt/updated"; }
cd "$apt"
for package in $missing; do
    rm -f "${package}"_*.deb
    apt_arm64 download "$package" >&2 || {
        echo "arm64-sysroot: cannot fetch $package:arm64; is the network up, and Debian in the sources?" >&2
        exit 1
    }
    dpkg -x "${package}"_*.deb "$sysroot"
    touch "$sysroot/.have/$package"
done
