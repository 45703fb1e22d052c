#!/usr/bin/env python3
"""tests/system/iso.py: the ISO under BIOS and under UEFI. One ISO holds the kernel's own checks
(tests/native), so that every one of them also passes when GRUB starts the kernel; another holds the whole
system, which must come up and run a command without any disk."""
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
WORD = "risen-from-the-disc"


def image(tree, iso, words):
    subprocess.run([ROOT / "scripts" / "image.sh", "--iso", "--tree", tree, "-o", iso, "--append", words], check=True)
    return iso


def kernel_iso(folder):
    servers = folder / "root" / "gemel" / "servers"
    servers.mkdir(parents=True)
    shutil.copy(BUILD / "native" / "native_kernel", servers / "init")
    shutil.copy(BUILD / "gemel-x86_64.elf", folder)
    subprocess.run([ROOT / "scripts" / "make-bundle.sh", folder / "bundle.cpio", folder / "root"], check=True)
    return image(folder, folder / "kernel.iso", "")


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


def kernel_checks(title, output):
    """(passed, failed) as the kernel's checks counted themselves."""
    counted = re.search(r"^(\d+) passed, (\d+) failed, 0 skipped", output, re.M)
    if not counted or "gemel: power off, status 0" not in output:
        print(f"FAIL the kernel's checks under {title}\n{output}")
        return (int(counted.group(1)), max(1, int(counted.group(2)))) if counted else (0, 1)
    return int(counted.group(1)), int(counted.group(2))


def system_comes_up(title, output):
    """The shell's word stands behind the line that says it is up; its status is the machine's. That there is no disk is
    no error."""
    wanted = rf"gemel: up in \d+ ms\s+{WORD}\s.*gemel: power off, status 7"
    if re.search(wanted, output, re.S) and not re.search(r"^[\d.]+ (ERROR|WARN) ", output, re.M):
        return 1, 0
    print(f"FAIL the system under {title}\n{output}")
    return 0, 1


def main():
    passed = failed = 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        kernel = kernel_iso(folder)
        system = image(BUILD, folder / "system.iso", f"GEMEL_COMMAND=echo%20{WORD}%3B%20exit%207")
        for title, firmware in (("BIOS", []), ("UEFI", uefi(folder))):
            for judge, iso in ((kernel_checks, kernel), (system_comes_up, system)):
                good, bad = judge(title, boot(iso, firmware))
                passed += good
                failed += bad
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 0 if failed == 0 else 2


if __name__ == "__main__":
    sys.exit(main())
