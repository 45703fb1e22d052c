#!/usr/bin/env bash
# scripts/sim-disk.sh IMAGE: the simulator's disk, the same bytes on every machine: a small ext4 file system with
# fixed identities and times, and the files of scripts/disk.
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/scripts/common.sh"

image=${1:?usage: scripts/sim-disk.sh IMAGE}
export PATH=$PATH:/usr/sbin:/sbin LC_ALL=C
export E2FSPROGS_FAKE_TIME=1700000000
identity=6e1f0000-5eed-4000-8000-000000000001

commands=$(mktemp) && trap 'rm -f "$commands"' EXIT
cd "$root/scripts/disk" || die "scripts/disk is missing"
{
    for folder in bin dev gemel proc tmp var var/log; do
        printf 'mkdir /%s\n' "$folder"
    done
    find . ! -type d | sed "s|^\./||" | sort | sed -n 's|/[^/]*$||p' | while read -r folder; do
        while [ "$folder" != . ] && [ -n "$folder" ]; do
            printf '%s\n' "$folder"
            case $folder in */*) folder=${folder%/*} ;; *) folder= ;; esac
        done
    done | sort -u | sed 's|^|mkdir /|'
    find . ! -type d | sed "s|^\./||" | sort | while read -r file; do
        [ "$file" != README.md ] || continue
        if [ -L "$file" ]; then
            printf 'symlink /%s %s\n' "$file" "$(readlink "$file")"
        else
            printf 'write %s /%s\nset_inode_field /%s mode 0100644\n' "$file" "$file" "$file"
            printf 'set_inode_field /%s uid 0\nset_inode_field /%s gid 0\n' "$file" "$file"
        fi
    done
} >"$commands"
rm -f "$image.new"
mkfs.ext4 -q -L gemel-sim -U "$identity" -E "hash_seed=$identity,root_owner=0:0,lazy_itable_init=0" \
    "$image.new" 16M >/dev/null || die "mkfs.ext4 failed on $image.new"
debugfs -w -f "$commands" "$image.new" >/dev/null 2>&1 || die "debugfs failed on $image.new"
mv "$image.new" "$image"
