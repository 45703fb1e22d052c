#!/usr/bin/env bash
# scripts/image.sh: `./gemel image`. Files of an ext4 image (image-files.sh); or puts the native image of x86_64 on an ISO that GRUB boots under BIOS
# and under UEFI: the same kernel and boot bundle that `./gemel boot` gives to QEMU.
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/scripts/common.sh"
. "$root/scripts/image-files.sh"

arch=x86_64 out=gemel.iso iso=no tree='' command_line=''

usage() {
    cat <<'TEXT'
usage: ./gemel image ls DISK [PATH...]          files of an ext4 image, through the system's own servers
       ./gemel image cat DISK PATH...
       ./gemel image cp DISK FROM... TO         paths in the image begin with ':'
       ./gemel image create DISK SIZE [TREE]    a new image, with the files of a directory
       ./gemel image grow DISK SIZE             more room in an image that nobody uses
       ./gemel image --arch x86_64 --iso -o FILE

The last writes an ISO that boots under BIOS and under UEFI, from a disc or (written as it is) from a USB stick.
The console is the first serial line, 115200 baud.

  --arch ARCH      x86_64 (arm64 boots from its kernel image: build/arm64)
  --iso            the form of the image; the only one so far
  -o FILE          where to write it (default gemel.iso)
  --append WORDS   the kernel's command line: NAME=value words, which become init's variables
  --tree DIRECTORY take gemel-x86_64.elf and bundle.cpio from there, and build nothing
TEXT
}

wrong() {
    say "$*"
    usage >&2
    exit 1
}

[ $# -eq 0 ] || image_files "$@"
while [ $# -gt 0 ]; do
    case $1 in
    --help) usage && exit 0 ;;
    --iso) iso=yes && shift && continue ;;
    --arch | -o | --append | --tree) [ $# -ge 2 ] || wrong "$1 needs a value" ;;
    *) wrong "unknown option $1" ;;
    esac
    case $1 in
    --arch) arch=$2 ;;
    -o) out=$2 ;;
    --append) command_line=$2 ;;
    --tree) tree=$2 ;;
    esac
    shift 2
done
[ "$arch" = x86_64 ] || wrong "an ISO is made for x86_64 only, not for $arch"
[ "$iso" = yes ] || wrong "say --iso: it is the only form of image so far"
case $command_line in *[\"\'\\\$\;{}\&\|]*) wrong "--append takes plain NAME=value words" ;; esac

if [ -z "$tree" ]; then
    packages_need x86_64 iso
    build x86_64
    tree=$root/build/x86_64
fi
for file in gemel-x86_64.elf bundle.cpio; do
    [ -r "$tree/$file" ] || die "$tree/$file is not there: build the x86_64 image first"
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/boot/grub"
cp "$tree/gemel-x86_64.elf" "$work/boot/gemel.elf"
objcopy --strip-debug "$work/boot/gemel.elf" || die "the kernel could not be stripped"
cp "$tree/bundle.cpio" "$work/boot/"
cat >"$work/boot/grub/grub.cfg" <<TEXT
serial --unit=0 --speed=115200
terminal_input console serial
terminal_output console serial
set timeout=0
set default=0
menuentry "Gemel" {
    echo "Starting Gemel; its console is the first serial line."
    multiboot2 /boot/gemel.elf $command_line
    module2 /boot/bundle.cpio
    boot
}
TEXT
log=$work.log
if ! grub-mkrescue -o "$out.new" "$work" >"$log" 2>&1; then
    cat "$log" >&2
    rm -f "$log" "$out.new"
    die "grub-mkrescue could not make the ISO"
fi
rm -f "$log"
mv "$out.new" "$out" || die "$out could not be written"
say "wrote $out ($(($(stat -c %s "$out") / 1048576)) MiB)"
