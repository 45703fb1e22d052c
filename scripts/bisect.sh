#!/usr/bin/env bash
# ./gemel bisect: the packages and the build that the search needs; then frontends/campaign.
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
export GEMEL_ROOT=$root
. "$root/scripts/common.sh"

host_check
packages_need build explore test
build hosted gemel
exec python3 "$root/frontends/campaign/bisect.py" "$@"
