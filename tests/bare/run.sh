#!/usr/bin/env bash
# Goal: on a Debian 12 without any package of ours, `./gemel run` says what it misses, installs it and runs.
# Method: a minimal system by debootstrap, a clone in it, and the command: without rights, then with.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
passed=0 failed=0

skip() {
    echo "skipped: $*"
    echo '0 passed, 0 failed, 1 skipped'
    exit 0
}

check() { # check TITLE TEXT FILE: the file has the text
    if grep -qF -- "$2" "$3"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAIL $1: never saw '$2' in:"
        tail -n 20 "$3"
    fi
}

[ "$(id -u)" = 0 ] || skip "making a system needs root"
command -v debootstrap >/dev/null || apt-get install -y --no-install-recommends debootstrap >/dev/null 2>&1 ||
    skip "debootstrap is missing and cannot be installed"
mirror=$(apt-get indextargets --format '$(REPO_URI) $(COMPONENT)' 'Created-By: Packages' 2>/dev/null |
    sed -n 's/ main$//p' | head -n 1)
[ -n "$mirror" ] || skip "apt knows no package mirror"

bare=$(mktemp -d "${TMPDIR:-/tmp}/gemel-bare-XXXXXX")
log=$bare.log
leave() {
    local place
    for place in dev sys proc; do
        ! mountpoint -q "$bare/$place" || umount "$bare/$place" || exit 1 # rather leave it than delete through it
    done
    rm -rf --one-file-system "$bare" "$log"
}
trap leave EXIT

echo "a minimal Debian 12 in $bare"
debootstrap --variant=minbase bookworm "$bare" "$mirror" >"$log" 2>&1 || {
    tail -n 5 "$log"
    skip "debootstrap failed"
}
cp /etc/resolv.conf "$bare/etc/"
for place in proc sys dev; do
    mount --bind "/$place" "$bare/$place" || skip "cannot mount /$place there"
done
git clone -q "$root" "$bare/gemel"
chroot "$bare" useradd -m somebody
cp -r "$bare/gemel" "$bare/home/somebody/gemel"
chroot "$bare" chown -R somebody /home/somebody/gemel

chroot "$bare" su somebody -c 'cd ~/gemel && ./gemel run -c true </dev/null; echo "status $?"' >"$log" 2>&1
check "without rights" "not root and no sudo here. As root, run:" "$log"
check "without rights" "status 125" "$log"

echo 'the first ./gemel run (packages and a whole build)'
chroot "$bare" bash -c 'cd /gemel && ./gemel run -c "cat /etc/motd; ls /" </dev/null; echo "status $?"' >"$log" 2>&1
check "with rights" "gemel: installing Debian packages that are missing:" "$log"
check "with rights" "Welcome to Gemel" "$log"
check "with rights" "status 0" "$log"

echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ]
