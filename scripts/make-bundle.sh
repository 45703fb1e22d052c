#!/usr/bin/env bash
# scripts/make-bundle.sh OUT ROOT: everything below ROOT as a newc cpio archive, the boot bundle.
# The same files give the same bytes: names are sorted, times are 0, owners are root.
set -eu
export LC_ALL=C
out=$1 root=$2
inode=0

pad() { # to the next multiple of four after $1 bytes
    local missing=$(((4 - $1 % 4) % 4))
    while [ "$missing" -gt 0 ]; do
        printf '\0'
        missing=$((missing - 1))
    done
}

entry() { # NAME MODE BYTES
    printf '070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%s\0' \
        "$inode" "0x$2" 0 0 1 0 "$3" 0 0 0 0 $((${#1} + 1)) 0 "$1"
    pad $((110 + ${#1} + 1))
}

archive() {
    local path bytes
    find . -mindepth 1 | sort | while read -r path; do
        path=${path#./}
        inode=$((inode + 1))
        if [ -L "$path" ]; then
            bytes=$(readlink "$path")
            entry "$path" A1FF "${#bytes}"
            printf '%s' "$bytes"
            pad "${#bytes}"
        elif [ -d "$path" ]; then
            entry "$path" 41ED 0
        else
            bytes=$(stat -c %s "$path")
            case $path in
            gemel/servers/* | gemel/bin/*) entry "$path" 81ED "$bytes" ;;
            *) entry "$path" 81A4 "$bytes" ;;
            esac
            cat "$path"
            pad "$bytes"
        fi
    done
    inode=0
    entry 'TRAILER!!!' 0 0
}

cd "$root"
archive >"$out.new"
mv "$out.new" "$out"
