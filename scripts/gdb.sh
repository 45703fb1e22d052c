#!/usr/bin/env bash
# ./gemel gdb [GDB OPTIONS] [-- RUN OPTIONS]: the hosted system under gdb, with the source path and the commands
# of frontends/gdb. At gdb's prompt `run` starts `gemel run` with the run options.
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/scripts/common.sh"

usage() {
    cat <<'TEXT'
usage: ./gemel gdb [GDB OPTIONS] [-- [IMAGE] RUN OPTIONS]
       ./gemel gdb --core FILE

  ./gemel gdb                                    break gemel::ext4::OpenFile::on, run, bt
  ./gemel gdb -- -c 'cat /etc/motd'              the same for a script
  ./gemel gdb -batch -ex run -ex bt -- -c ls     without a person

In gdb: info tasks, task N, task apply all bt, step-ipc (docs/debugging.md).
TEXT
}

gdb_words=() run_words=()
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help) usage; exit 0 ;;
    --) shift; run_words=("$@"); break ;;
    *) gdb_words+=("$1") ;;
    esac
    shift
done

packages_need build gdb
build hosted gemel
program=$root/build/hosted/frontends/cli/gemel
export GEMEL_ROOT=$root
exec gdb -q -iex "set debuginfod enabled off" -ex "directory $root" \
    -ex "source $root/frontends/gdb/gemel_gdb.py" -ex "set breakpoint pending on" \
    "${gdb_words[@]}" --args "$program" run "${run_words[@]}"
