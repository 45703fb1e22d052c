#!/usr/bin/env bash
# scripts/size.sh [--gate] [--table] [FACE...]: how many bytes of kernel stay after boot: what is executable
# or read-only in the supervisor's half (boot code is given back; arm64's vector padding is not counted).
# --table lists them by function; --gate holds each face against scripts/size-gate.txt, which only falls.
set -u
export LC_ALL=C
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/scripts/common.sh"

gate=no table=no faces=()
while [ $# -gt 0 ]; do
    case $1 in
    --gate) gate=yes ;;
    --table) table=yes ;;
    --help) sed -n '2,4s/^# //p' "$0" && exit 0 ;;
    x86_64 | arm64) faces+=("$1") ;;
    *) die "unknown word $1 (try --help)" ;;
    esac
    shift
done
[ ${#faces[@]} -gt 0 ] || faces=(x86_64 arm64)

# With symbols; where each face leaves it.
kernel_of() {
    case $1 in
    x86_64) printf '%s/build/x86_64/gemel-x86_64.elf' "$root" ;;
    arm64) printf '%s/build/arm64/arch/arm64/gemel-arm64.elf' "$root" ;;
    esac
}

# The sections that stay: loaded, not writable, not boot code. Name and size in bytes.
sections() {
    readelf -SW "$1" | sed -n 's/^ *\[ *[0-9]*\] *//p' | while read -r name type _ _ size _ flags _; do
        case $name in .init* | .note*) continue ;; esac
        case $flags in *W*) continue ;; esac
        case $type,$flags in PROGBITS,*A*) printf '%s %d\n' "$name" "0x$size" ;; esac
    done
}

# Where the vectors stand 128 bytes apart, only what is in the slots counts: runs of zeros are padding.
vector_padding() {
    [ "$2" = arm64 ] || { echo 0 && return; }
    local work
    work=$(mktemp)
    aarch64-linux-gnu-objcopy -O binary -j .text "$1" "$work"
    head -c 2048 "$work" | od -An -v -tx4 -w4 | awk '$1 == "00000000" || $1 == "d503201f" { n += 4 } END { print n + 0 }'
    rm -f "$work"
}

resident() {
    sections "$1" | awk -v padding="$(vector_padding "$1" "$2")" '{ n += $2 } END { print n - padding }'
}

# Symbols of those sections, largest first; what no symbol covers (alignment, strings) is the rest.
functions() {
    readelf -sW "$1" | c++filt | awk -v indexes="$(
        readelf -SW "$1" | sed -nE 's/^ *\[ *([0-9]+)\] (\.text|\.rodata) .*/\1/p' | tr '\n' ' ')" '
        BEGIN { split(indexes, list, " "); for (i in list) wanted[list[i]] = 1 }
        ($4 == "FUNC" || $4 == "OBJECT" || $4 == "NOTYPE") && ($7 in wanted) && $3 > 0 {
            name = $8; for (i = 9; i <= NF; ++i) name = name " " $i
            printf "%6d  %s\n", $3, name
        }' | sort -k1,1nr -k2
}

report() {
    local face=$1 file=$2
    printf '%s: %d bytes resident (%s)\n' "$face" "$(resident "$file" "$face")" \
        "$(sections "$file" | awk '{ printf "%s%s %d", (NR > 1 ? ", " : ""), $1, $2 }')"
    [ "$table" = no ] || functions "$file"
}

gate_of() { awk -v face="$1" '$1 == face { print $2 }' "$root/scripts/size-gate.txt"; }

passed=0 failed=0
for face in "${faces[@]}"; do
    file=$(kernel_of "$face")
    [ -r "$file" ] || (build "$face" "gemel-$face.elf") || exit 2
    report "$face" "$file"
    [ "$gate" = yes ] || continue
    bytes=$(resident "$file" "$face") most=$(gate_of "$face")
    if [ -n "$most" ] && [ "$bytes" -le "$most" ]; then
        passed=$((passed + 1))
        [ "$bytes" -eq "$most" ] || echo "$face is below its gate of $most bytes: set it to $bytes in scripts/size-gate.txt"
    else
        failed=$((failed + 1))
        echo "FAILED: $face has $bytes bytes, its gate is ${most:-not set}"
    fi
done
[ "$gate" = no ] || echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ] || exit 2
