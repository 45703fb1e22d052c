#!/usr/bin/env bash
# The program with every plant in it: the repository once more in build/planted, and its own build there, at the same
# depth, so that the compiler's cache serves what no plant changes.
set -eu
root=$(cd "$(dirname "$0")/../../.." && pwd)
tree=$root/build/planted
python3 "$root/tests/campaign/planted/generate.py" "$tree"
[ -f "$tree/build/hosted/build.ninja" ] ||
    cmake -S "$tree" -B "$tree/build/hosted" -G Ninja -DGEMEL_FACE=hosted \
        -DGEMEL_CHOOSER="$tree/tests/mutants/chosen.cpp" >/dev/null
exec ninja --quiet -C "$tree/build/hosted" gemel
