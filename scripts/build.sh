#!/usr/bin/env bash
# scripts/build.sh PRESET [TARGET...]: the packages of a preset, then its build. What the gemel
# program calls before it boots an image.
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/scripts/common.sh"

[ $# -ge 1 ] || die "usage: scripts/build.sh PRESET [TARGET...]"
case $1 in
x86_64 | arm64) packages_need "$1" ;;
hosted-clang | hosted-preempt*) packages_need build preempt ;;
*) packages_need build ;;
esac
build "$@"
