# `./gemel image ls|cat|cp|create|grow`: files of an image without a session. Sourced by image.sh; needs common.sh.
# The system's own servers do the work: the image is mounted in a directory of its own for as long as it takes.

image_mounted= image_work=

image_leave() {
    local status=$?
    if [ -n "$image_mounted" ] && ! "$gemel_program" umount "$image_mounted"; then
        status=2
        ! mountpoint -q "$image_mounted" || "$gemel_program" umount --lazy "$image_mounted"
    fi
    [ -z "$image_work" ] || rmdir "$image_work/mnt" "$image_work" 2>/dev/null
    exit "$status"
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

# image_grow IMAGE SIZE: resize2fs of e2fsprogs moves what has to move; nobody else may use the image meanwhile.
image_grow() {
    local image=${1:?} size=${2:?} old new
    [ -f "$image" ] || die "$image is not a file"
    [ -w "$image" ] || die "$image cannot be written"
    packages_need build
    PATH=$PATH:/usr/sbin:/sbin
    old=$(stat -c %s "$image")
    new=$(numfmt --from=iec "$size" 2>/dev/null) || die "$size is not a size: 512M, 8G"
    [ "$new" -gt "$old" ] || die "$image has $old bytes already; it can only grow"
    exec {image_lock}<"$image"
    flock -n -x "$image_lock" || die "$image is in use. Unmount it first: gemel umount DIR"
    e2fsck -fp "$image" >/dev/null 2>&1
    [ $? -le 1 ] || die "$image has errors. First: gemel fsck -y $image"
    truncate -s "$new" "$image" || die "there is no room for $size"
    if ! image_said=$(resize2fs "$image" 2>&1); then
        e2fsck -fn "$image" >/dev/null 2>&1 && die "$image could not grow: ${image_said##*$'\n'}"
        die "$image could not grow and needs a check (gemel fsck -y $image): ${image_said##*$'\n'}"
    fi
    say "$image has $size now"
}

# image_files WORD ARGUMENT...: false if WORD is none of these commands.
image_files() {
    local needed
    case $1 in ls) needed=2 ;; cat) needed=3 ;; cp) needed=4 ;; create | grow) needed=3 ;; *) return 1 ;; esac
    case " $* " in *' --help '*) usage && exit 0 ;; esac
    [ $# -ge $needed ] || wrong "image $1 needs more words"
    "image_$@"
    exit $?
}
