#!/usr/bin/env bash
# scripts/size.sh [--gate | --functions] [FACE...]: the resident bytes of the native kernels that are built.
# --gate holds them to tests/size/limits.txt and counts like a test; --functions adds every resident function and
# constant table, largest first, without clones and arguments, and as the last what has no size of its own.
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/scripts/common.sh"

mode=
case ${1-} in --gate | --functions) mode=$1 && shift ;; esac
[ $# -gt 0 ] || set -- x86_64 arm64

kernel_of() {
    local file
    for file in "$root/build/$1/gemel-$1.elf" "$root/build/$1/arch/$1/gemel-$1.elf"; do
        [ -e "$file" ] && printf '%s\n' "$file" && return
    done
    return 1
}

symbol() { readelf -sW "$1" | awk -v name="$2" '$8 == name { print $2; exit }'; }

# Loaded, not writable, and behind the boot code.
resident_bytes() {
    local face=$1 file=$2 end sum=0 address bytes
    end=$(symbol "$file" init_end)
    [ -n "$end" ] || end=$(symbol "$file" gemel_init_end)
    [ -n "$end" ] || die "$file has no symbol that says where boot code ends"
    while read -r address bytes; do
        ((address >= 0x$end)) && sum=$((sum + bytes))
    done < <(readelf -lW "$file" | awk '$1 == "LOAD" && !/W/ { print $3, $6 }')
    # Sixteen vectors of 128 bytes hold one instruction each.
    [ "$face" != arm64 ] || sum=$((sum - 16 * (128 - 4)))
    printf '%d\n' "$sum"
}

# Addresses are as long as each other, so that text compares them.
functions() {
    local file=$1 bytes=$2 end
    end=$(symbol "$file" init_end)
    [ -n "$end" ] || end=$(symbol "$file" gemel_init_end)
    nm -CS "$file" | awk -v end="$end" '$1 >= end && $3 ~ /^[tTrRwWV]$/' | while read -r _ size _ name; do
        name=${name%% \[clone*}
        [[ $name == *'(anonymous namespace)'* ]] && name=${name//'(anonymous namespace)::'/}
        printf '%d %s\n' "0x$size" "${name%%(*}"
    done | awk -v all="$bytes" '
        { size = $1; $1 = ""; sum[substr($0, 2)] += size; known += size }
        END { for (name in sum) print sum[name], name; print all - known, "(entries in assembly language)" }' |
        sort -k1,1nr -k2
}

passed=0 failed=0 skipped=0
for face; do
    if ! file=$(kernel_of "$face"); then
        say "$face is not built (scripts/build.sh $face): skipped"
        skipped=$((skipped + 1))
        continue
    fi
    bytes=$(resident_bytes "$face" "$file") || exit 2
    limit=$(awk -v face="$face" '$1 == face { print $2 }' "$root/tests/size/limits.txt")
    printf '%-7s %6d bytes resident, limit %s\n' "$face" "$bytes" "${limit:-none}"
    if [ -z "$limit" ]; then
        skipped=$((skipped + 1))
    elif [ "$bytes" -gt "$limit" ]; then
        say "the $face kernel has grown by $((bytes - limit)) bytes (tests/size/limits.txt)"
        failed=$((failed + 1))
    else
        [ "$bytes" = "$limit" ] || say "the $face limit in tests/size/limits.txt can fall to $bytes"
        passed=$((passed + 1))
    fi
    [ "$mode" != --functions ] || functions "$file" "$bytes"
done
[ "$mode" != --gate ] || printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" = 0 ] || [ "$mode" != --gate ] || exit 2
