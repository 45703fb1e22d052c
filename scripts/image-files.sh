# `./gemel image ls|cat|cp|create`: files of an image without a session. Sourced by image.sh; needs common.sh.
# The system's own servers do the work: the image is mounted in a directory of its own for as long as it takes.

image_mounted= image_work=

image_leave() {
    if [ -n "$image_mounted" ]; then
        "$gemel_program" umount "$image_mounted" || "$gemel_program" umount --lazy "$image_mounted"
    fi
    [ -z "$image_work" ] || rmdir "$image_work/mnt" "$image_work" 2>/dev/null
}

# image_enter ACCESS IMAGE: the image's root is $image_mounted from here on, until the script ends.
image_enter() {
    packages_need build
    build hosted gemel
    gemel_program=$root/build/hosted/frontends/cli/gemel
    image_work=$(mktemp -d) && mkdir "$image_work/mnt" || die "no directory to mount in"
    trap image_leave EXIT
    "$gemel_program" mount -o "$1" "$2" "$image_work/mnt" || exit $?
    image_mounted=$image_work/mnt
}

image_ls() {
    local image=${1:?} path
    shift
    [ $# -gt 0 ] || set -- /
    image_enter ro "$image"
    for path in "$@"; do
        (cd "$image_mounted" && ls -la -- "./${path#/}") || return 2
    done
}

image_cat() {
    local image=${1:?} path
    shift
    image_enter ro "$image"
    for path in "$@"; do
        cat -- "$image_mounted/${path#/}" || return 2
    done
}

# In the image are the paths that begin with ':'. Writing there needs an image that may be written.
image_cp() {
    local image=${1:?} word access=ro words=()
    shift
    case ${*: -1} in :*) access=rw ;; esac
    image_enter "$access" "$image"
    for word in "$@"; do
        case $word in
        :*) word=${word#:} && words+=("$image_mounted/${word#/}") ;;
        *) words+=("$word") ;;
        esac
    done
    cp -a -- "${words[@]}" || return 2
}

image_create() {
    local image=${1:?} size=${2:?} tree=${3:-} mkfs
    [ ! -e "$image" ] || die "$image is there already"
    [ -z "$tree" ] || [ -d "$tree" ] || die "$tree is not a directory"
    packages_need build
    mkfs=$(PATH=$PATH:/usr/sbin:/sbin command -v mkfs.ext4) || die "mkfs.ext4 is missing (package e2fsprogs)"
    "$mkfs" -q ${tree:+-d "$tree"} "$image" "$size" >/dev/null ||
        { rm -f "$image" && die "mkfs.ext4 could not make $image"; }
    say "made $image ($size)"
}

# image_files WORD ARGUMENT...: false if WORD is none of these commands.
image_files() {
    local needed
    case $1 in ls) needed=2 ;; cat) needed=3 ;; cp) needed=4 ;; create) needed=3 ;; *) return 1 ;; esac
    case " $* " in *' --help '*) usage && exit 0 ;; esac
    [ $# -ge $needed ] || wrong "image $1 needs more words"
    "image_$@"
    exit $?
}
