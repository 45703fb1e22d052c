#!/usr/bin/env bash
# ./gemel bench [--write] [PART...]: the numbers of docs/numbers.md, as ratios and counts. Nothing is asserted:
# a number that a test should hold has a test (./gemel test size). --write puts them into docs/numbers.md.
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
export GEMEL_ROOT=$root
. "$root/scripts/common.sh"

usage() {
    cat <<'TEXT'
usage: ./gemel bench [--write] [--quick] [PART...]

parts: ipc boot files counts cpus size mutants sim record debug alarms crash planted fs preempt   (default: all)
  ipc     hosted round trips, beside a raw switch of stacks
  boot    hosted milliseconds to the prompt; native instructions to the prompt; memory in use
  files   reading and listing through ext4, beside the host's own tools in the same run
  counts  instructions of the kernel's paths on x86_64 and arm64 (QEMU's instruction clock)
  cpus    a round trip while 1, 2, 4 and 8 processors make them (QEMU's instruction clock; hosted, nanoseconds)
  size    resident bytes of the native kernels
  mutants defects planted in the kernel that its tests notice
  record  a recorded session beside one that is not: cost, size, replay
  sim     the simulator: events, seeds and crash states for each second of a processor, boot, journals
  debug   going about in the time of a replay in gdb: to any instant of an hour, backwards by a step or a breakpoint;
          writing traces
  alarms  how many seeds without faults ran, and what they reported (counts what ./gemel test false-alarms ran)
  crash   states of a volume after a power cut: how many were tried, and how many failed
  planted runs and seconds until each strategy finds each planted defect; goes on where it was (15 minutes at a time)
  fs      a mounted image beside fuse2fs, the kernel's own ext4 (loop device) and a FUSE server that does nothing,
          in turn, medians and ratios; and the file system from inside the system
  preempt what counting edges costs, so that threads can be stopped inside their code: builds by clang-16
--write puts the result into docs/numbers.md, each part into its section; --quick does less of the parts planted and fs.
Alone: ./gemel bench fs [--quick] [--rounds N]
TEXT
}

if [ "${1:-}" = fs ]; then
    shift
    host_check
    packages_need build bench-fs
    build hosted gemel bench_idle_mount
    exec python3 "$root/tests/bench/fs.py" "$@"
fi
for word in "$@"; do
    case $word in
    -h | --help) usage; exit 0 ;;
    --write | --quick | ipc | boot | files | counts | cpus | size | mutants | sim | record | debug | alarms | crash | planted | fs | preempt) ;;
    *) usage >&2; exit 1 ;;
    esac
done
host_check
packages_need build x86_64 arm64 boot-x86_64 boot-arm64 test bench bench-fs gdb
build hosted gemel bench_ipc bench_idle_mount bench_trace native_scale ext4_crash_test mutant_test
names=" $* "
names=${names// --write / }
names=${names// --quick / }
case $names in
*' planted '* | ' ') "$root/tests/campaign/planted/build.sh" ;;
esac
case $names in
*' preempt '* | ' ')
    packages_need preempt
    for preset in hosted-clang hosted-preempt hosted-preempt-memory; do build "$preset" gemel bench_edges; done
    ;;
esac
case $names in
' sim ' | ' record ' | ' debug ' | ' alarms ' | ' crash ' | ' planted ' | ' fs ' | ' preempt ') ;; # which need nothing native
*)
    build x86_64
    build arm64
    ;;
esac
exec python3 "$root/tests/bench/bench.py" "$@"
