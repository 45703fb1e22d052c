#!/usr/bin/env python3
"""tests/system/iso.py: the ISO under BIOS and under UEFI. One ISO holds the kernel's own checks
(tests/native), so that every one of them also passes when GRUB starts the kernel."""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "x86_64"
OVMF = pathlib.Path("/usr/share/OVMF")
SECONDS_MAX = 180


def make_iso(folder):
    servers = folder / "root" / "gemel" / "servers"
    servers.mkdir(parents=True)
    shutil.copy(BUILD / "native" / "native_kernel", servers / "init")
    shutil.copy(BUILD / "gemel-x86_64.elf", folder)
    subprocess.run([ROOT / "scripts" / "make-bundle.sh", folder / "bundle.cpio", folder / "root"], check=True)
    iso = folder / "gemel.iso"
    subprocess.run([ROOT / "scripts" / "image.sh", "--iso", "--tree", folder, "-o", iso], check=True)
    return iso


def uefi(folder):
    variables = folder / "variables.fd"
    shutil.copy(OVMF / "OVMF_VARS_4M.fd", variables)
    return ["-drive", f"if=pflash,format=raw,readonly=on,file={OVMF}/OVMF_CODE_4M.fd",
            "-drive", f"if=pflash,format=raw,file={variables}"]


def boot(iso, firmware):
    command = ["qemu-system-x86_64", "-machine", "q35", "-cpu", "max", "-accel", "tcg", "-m", "128",
               "-nodefaults", "-display", "none", "-serial", "stdio", "-no-reboot", "-cdrom", str(iso)]
    try:
        result = subprocess.run(command + firmware, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, timeout=SECONDS_MAX)
    except subprocess.TimeoutExpired as late:
        return (late.stdout or b"").decode(errors="replace") + "\n(the machine did not end)\n"
    return result.stdout.decode(errors="replace")


def main():
    passed = failed = 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        iso = make_iso(folder)
        for title, firmware in (("BIOS", []), ("UEFI", uefi(folder))):
            output = boot(iso, firmware)
            counted = re.search(r"^(\d+) passed, (\d+) failed, 0 skipped", output, re.M)
            ended = "gemel: power off, status 0" in output
            print(f"{title}: {counted.group(0) if counted else 'no count'}")
            if not counted or not ended:
                print(output)
            passed += int(counted.group(1)) if counted else 0
            failed += int(counted.group(2)) if counted and ended else 1
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 0 if failed == 0 else 2


if __name__ == "__main__":
    sys.exit(main())
