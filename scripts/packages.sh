#!/usr/bin/env bash
# scripts/packages.sh SET...: makes sure that the packages of these sets (scripts/packages.txt) are here.
# scripts/packages.sh --missing SET...: only lists those that are not.
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/scripts/common.sh"

if [ "${1:-}" = --missing ]; then
    shift
    packages_missing "$@"
else
    packages_need "$@"
fi
