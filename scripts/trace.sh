#!/usr/bin/env bash
# ./gemel trace: the build that it needs; then frontends/campaign/walk.py.
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
export GEMEL_ROOT=$root
. "$root/scripts/common.sh"

host_check
packages_need build explore
build hosted gemel
exec python3 "$root/frontends/campaign/walk.py" "$@"
