#!/usr/bin/env bash
# ./gemel bench [--write] [PART...]: the numbers of docs/numbers.md, as ratios and counts. Nothing is asserted:
# a number that a test should hold has a test (./gemel test size). --write puts them into docs/numbers.md.
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
export GEMEL_ROOT=$root
. "$root/scripts/common.sh"

usage() {
    cat <<'TEXT'
usage: ./gemel bench [--write] [PART...]

parts: ipc boot files counts size mutants sim   (default: all)
  ipc     hosted round trips, beside a raw switch of stacks
  boot    hosted milliseconds to the prompt; native instructions to the prompt; memory in use
  files   reading and listing through ext4, beside the host's own tools in the same run
  counts  instructions of the kernel's paths on x86_64 and arm64 (QEMU's instruction clock)
  size    resident bytes of the native kernels
  mutants defects planted in the kernel that its tests notice
  sim     the simulator: events, seeds and crash states for each second of a processor, boot, journals
--write puts the result into docs/numbers.md.

Alone: ./gemel bench fs [--rounds N] [--mib N] [--files N]
          a mounted image beside fuse2fs and the kernel's own ext4 (loop device), medians and ratios
TEXT
}

if [ "${1:-}" = fs ]; then
    shift
    host_check
    packages_need build bench-fs
    build hosted gemel
    exec python3 "$root/tests/bench/fs.py" "$@"
fi
for word in "$@"; do
    case $word in
    -h | --help) usage; exit 0 ;;
    --write | ipc | boot | files | counts | size | mutants | sim) ;;
    *) usage >&2; exit 1 ;;
    esac
done
host_check
packages_need build x86_64 arm64 boot-x86_64 boot-arm64 test bench
build hosted gemel bench_ipc mutant_test
if [ "$*" != sim ]; then # which needs nothing native
    build x86_64
    build arm64
fi
exec python3 "$root/tests/bench/bench.py" "$@"
