#!/usr/bin/env bash
# ./gemel explore: the packages and the build that a campaign needs; then frontends/campaign.
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
export GEMEL_ROOT=$root
. "$root/scripts/common.sh"

host_check
preset=hosted
case " $* " in *' --preempt '*) preset=hosted-preempt ;; esac
packages_need build explore
[ "$preset" = hosted ] || packages_need preempt
build "$preset" gemel
exec python3 "$root/frontends/campaign/explore.py" "$@"
