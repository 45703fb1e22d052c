#!/usr/bin/env bash
# scripts/default-disk.sh IMAGE: the disk that is used when none is given: an ext4 file system of 256 MiB
# with mkfs.ext4's defaults and a small root (scripts/disk, the documents). Made once; made
# again when those files changed, unless somebody wrote to the image since.
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/scripts/common.sh"

disk=${1:?usage: scripts/default-disk.sh IMAGE}
made=$disk.made # its modification time and size when it was made

if [ -f "$disk" ]; then
    [ "$(stat -c '%Y %s' "$disk")" = "$(cat "$made" 2>/dev/null)" ] || exit 0 # written to: it is the user's
    [ -z "$(find "$root/scripts/disk" "$root/docs" -newer "$made" -print -quit)" ] && exit 0
fi

mkfs=$(PATH=$PATH:/usr/sbin:/sbin command -v mkfs.ext4) || die "mkfs.ext4 is missing (package e2fsprogs)"
mkdir -p "$(dirname "$disk")" || die "cannot make the directory of $disk"
say "making the default disk $disk"
tree=$(mktemp -d) && trap 'rm -rf "$tree"' EXIT
cp -R "$root/scripts/disk/." "$tree/" && rm "$tree/README.md" && cp -R "$root/docs" "$tree/docs" &&
    mkdir -p "$tree/bin" "$tree/tmp" "$tree/dev" "$tree/proc" "$tree/gemel" "$tree/var/log" || die "cannot fill $tree"
rm -f "$disk.new"
"$mkfs" -q -L gemel -E root_owner=0:0 -d "$tree" "$disk.new" 256M >/dev/null || die "mkfs.ext4 failed on $disk.new"
mv "$disk.new" "$disk" && stat -c '%Y %s' "$disk" >"$made"
