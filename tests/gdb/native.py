#!/usr/bin/env python3
"""gdb on QEMU's stub, x86_64: `program` finds which program runs, and where. The last line counts."""
import os
import re
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
GEMEL = f"{TOP}/build/hosted/frontends/cli/gemel"
TRIES = 60  # until the program runs, a second each
TIMEOUT_S = 60


def debug(socket, commands):
    words = ["gdb", "-q", "-nx", "-batch", "-iex", "set debuginfod enabled off", f"{TOP}/build/x86_64/gemel-x86_64.elf"]
    for command in ("set pagination off", "set confirm off", f"source {TOP}/frontends/gdb/gemel_native.py",
                    f"target remote {socket}", *commands):
        words += ["-ex", command]
    run = subprocess.run(words, cwd=TOP, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT_S,
                         check=False)
    return run.stdout + run.stderr


def main():
    """Goal: a debugger sees the functions of a program that lies at a place by chance.
    Method: stop the machine in one that loops for ever; its symbols must name that loop."""
    environment = dict(os.environ, PATH=os.environ["PATH"] + ":/usr/sbin:/sbin")
    with tempfile.TemporaryDirectory() as folder:
        image, socket = f"{folder}/disk.img", f"{folder}/gdb"
        subprocess.run(["mkfs.ext4", "-q", image, "16M"], check=True, env=environment, stdout=subprocess.DEVNULL)
        with subprocess.Popen([GEMEL, "boot", "--arch", "x86_64", image, "--qemu=-gdb",
                               f"--qemu=unix:{socket},server=on,wait=off", "-c", "mischief loop"],
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as machine:
            text = ""
            for _ in range(TRIES):
                time.sleep(1)
                if os.path.exists(socket):
                    text = debug(socket, ["program", "backtrace 1"])
                if "mischief.elf at" in text:
                    break
            debug(socket, ["monitor quit"])  # the machine itself: who started it only waits
            machine.terminate()
    good = re.search(r"^mischief\.elf at 0x[0-9a-f]+00000$.*^#0 .*gemel::mischief::.*loop", text, re.M | re.S)
    if not good:
        print(text)
    print(f"{'ok      ' if good else 'FAILED  '}gdb finds a native program wherever it lies")
    print(f"{1 if good else 0} passed, {0 if good else 1} failed, 0 skipped")
    return 0 if good else 2


sys.exit(main())
