#!/usr/bin/env bash
# ./gemel doctor: what works on this machine. Looks, and changes nothing. Exit status 2 if `./gemel run` or
# the build of the hosted system cannot work here.
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/scripts/common.sh"

[ $# = 0 ] || { echo "usage: ./gemel doctor    what works on this machine"; [ "$1" = --help ]; exit; }
status=0

row() { printf '%-16s %-4s %s\n' "$1" "$2" "$3"; }

packages() { # TITLE SET... : a row; 1 if some are missing
    local title=$1 missing
    shift
    missing=$(packages_missing "$@")
    [ -z "$missing" ] && { row "$title" ok "packages installed"; return; }
    row "$title" no "missing packages: ${missing//$'\n'/ }"
    return 1
}

device() { # TITLE PATH USE
    if [ -r "$2" ] && [ -w "$2" ]; then
        row "$1" ok "$2"
    elif [ -e "$2" ]; then
        row "$1" no "$2 is there, but not for you ($3)"
    else
        row "$1" no "no $2 ($3)"
    fi
}

program() { # TITLE PROGRAM PACKAGE
    if command -v "$2" >/dev/null; then
        row "$1" ok "$("$2" --version | head -n 1)"
    else
        row "$1" no "$2 is missing (package $3)"
    fi
}

host() {
    row host "$([ "$(uname -sm)" = "Linux x86_64" ] && echo ok || echo no)" \
        "$(host_name), $(uname -sm), $(nproc) processors"
    [ "$(uname -sm)" = "Linux x86_64" ]
}

host || status=2
if command -v dpkg-query >/dev/null; then
    packages "build, run" build || status=2
    packages "x86_64 image" x86_64
    packages "arm64 image" arm64
    packages "ISO image" iso
    packages "tests" test
else
    row packages "?" "not Debian: $root/scripts/packages.txt lists what is needed"
fi
program "QEMU x86_64" qemu-system-x86_64 qemu-system-x86
program "QEMU arm64" qemu-system-aarch64 qemu-system-arm
program gdb gdb gdb
device TAP /dev/net/tun "a network that the host can reach needs it"
device FUSE /dev/fuse "mounting Gemel's file systems on the host needs it"
if grep -qw cpuid_fault /proc/cpuinfo 2>/dev/null; then
    row "CPUID faulting" ok "recorded runs can replay on another processor"
else
    row "CPUID faulting" no "recorded runs replay on processors of this kind only"
fi
row "default disk" "$([ -f "${XDG_DATA_HOME:-$HOME/.local/share}/gemel/disk.img" ] && echo ok || echo -)" \
    "${XDG_DATA_HOME:-$HOME/.local/share}/gemel/disk.img"
exit $status
