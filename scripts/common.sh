# What the scripts share: words to the user, packages, and building a preset. Sourced, not run.
# Expects $root, the top of the repository. Sets nothing but functions and $failed_status.

failed_status=${failed_status:-2} # what `die` ends with: 2, or 125 under `run -c` and `boot -c`

say() { printf 'gemel: %s\n' "$*" >&2; }

die() {
    say "$*"
    exit "$failed_status"
}

# Hosted code is amd64 Linux code, and the packages are Debian's. Anything else is told so.
host_check() {
    local system machine
    system=$(uname -s) machine=$(uname -m)
    [ "$system" = Linux ] ||
        die "this host runs $system. Gemel is developed on amd64 Linux (Debian 12): use one, or a virtual machine of it."
    [ "$machine" = x86_64 ] ||
        die "this host is $machine. Hosted Gemel is an amd64 Linux program: use an amd64 machine (the arm64 image boots in QEMU there)."
}

host_name() {
    (
        PRETTY_NAME=
        [ -r /etc/os-release ] && . /etc/os-release
        printf '%s' "${PRETTY_NAME:-an unknown distribution}"
    )
}

# packages_of SET...: the names that these sets list.
packages_of() {
    local set package rest
    while read -r set package rest; do
        case $set in '' | '#'*) continue ;; esac
        case " $* " in *" $set "*) printf '%s\n' "$package" ;; esac
    done <"$root/scripts/packages.txt"
}

packages_missing() {
    local wanted installed package
    wanted=$(packages_of "$@" | sort -u)
    # shellcheck disable=SC2086
    installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' $wanted 2>/dev/null |
        sed -n 's/ installed$//p')
    for package in $wanted; do
        case $'\n'$installed$'\n' in *$'\n'"$package"$'\n'*) ;; *) printf '%s\n' "$package" ;; esac
    done
}

# Installs the packages given, by apt-get as root or through sudo.
packages_install() {
    local line="apt-get install -y --no-install-recommends $*" as=()
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null ||
            die "not root and no sudo here. As root, run:  $line"
        as=(sudo)
        { [ -t 0 ] || sudo -n true 2>/dev/null; } ||
            die "sudo would ask for a password and there is no terminal. As root, run:  $line"
    fi
    as+=(env DEBIAN_FRONTEND=noninteractive)
    # Package lists may be missing or old: fetch them only when the install fails without.
    "${as[@]}" $line >&2 || { "${as[@]}" apt-get update >&2 && "${as[@]}" $line >&2; } ||
        die "the packages could not be installed. As root, run:  apt-get update && $line"
}

# packages_need SET...: makes sure of them. Remembered in build/, so that the next start asks nobody;
# asked again when the list or the machine's packages changed.
packages_need() {
    local stamp="$root/build/packages-${*// /-}" missing
    stamp=${stamp// /-}
    [ "$stamp" -nt "$root/scripts/packages.txt" ] && [ "$stamp" -nt /var/lib/dpkg/status ] && return
    if ! command -v dpkg-query >/dev/null; then
        say "this host is $(host_name), not Debian: make sure that it has what these packages hold:" \
            $(packages_of "$@" | sort -u)
        return
    fi
    missing=$(packages_missing "$@")
    if [ -n "$missing" ]; then
        say "installing Debian packages that are missing:" $missing
        # shellcheck disable=SC2086
        packages_install $missing
    fi
    mkdir -p "$root/build"
    : >"$stamp"
}

# Shows ninja's output: nothing when there is nothing to build, one changing line on a terminal, and
# everything that is no progress (warnings, errors).
build_progress() {
    local line said=
    while IFS= read -r line; do
        case $line in
        'ninja: error'*) ;;
        ninja:* | *'Re-checking globbed directories'* | *'Re-running CMake'* | '-- '*) continue ;;
        esac
        [ -n "$said" ] || say "building build/$1"
        said=yes
        case $line in
        '['*)
            [ ! -t 2 ] || printf '\r\033[K%.*s' "$((${COLUMNS:-80} - 1))" "$line" >&2
            ;;
        *) printf '%s%s\n' "$([ -t 2 ] && printf '\r\033[K')" "$line" >&2 ;;
        esac
    done
    [ -z "$said" ] || [ ! -t 2 ] || printf '\r\033[K' >&2
}

# build PRESET [TARGET...]: configures if need be and builds, with progress on a terminal and in
# silence when there is nothing to do. Output goes to standard error.
build() {
    local preset=$1 tree="$root/build/$1" log
    shift
    mkdir -p "$root/build"
    exec 9>"$root/build/$preset.lock"
    flock 9
    if [ ! -f "$tree/build.ninja" ]; then
        say "configuring build/$preset"
        log="$root/build/$preset.configure.log"
        (cd "$root" && cmake --preset "$preset") >"$log" 2>&1 9>&- || {
            cat "$log" >&2
            die "cmake --preset $preset failed"
        }
    fi
    NINJA_STATUS='[%p %f/%t] ' ninja -C "$tree" "$@" 2>&1 9>&- | build_progress "$preset"
    [ "${PIPESTATUS[0]}" = 0 ] || die "the build of $preset failed"
    exec 9>&-
}
