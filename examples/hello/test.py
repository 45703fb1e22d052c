#!/usr/bin/env python3
"""Goal: the tutorial's server and client run as docs/tutorial-server.md says.
Method: a disk with their services.toml, the real system on it, and what the log then holds."""
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
SCRIPT = "service start hello; sleep 0.2; service; log -n 100"


def main():
    program = sys.argv[1]
    with tempfile.TemporaryDirectory(prefix="gemel-hello-") as folder:
        os.makedirs(f"{folder}/root/etc")
        shutil.copy(f"{HERE}/services.toml", f"{folder}/root/etc/services.toml")
        image = f"{folder}/disk.img"
        subprocess.run(["mkfs.ext4", "-q", "-d", f"{folder}/root", image, "16M"], check=True)
        ran = subprocess.run(
            [program, "run", image, "-c", SCRIPT], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL
        )
    shown = ran.stdout + ran.stderr
    for expected in (
        r"^counter +running",
        r"INFO counter: counting from 0$",
        r"INFO hello: hello, the counter says 42; too much: too big$",
    ):
        if not re.search(expected, ran.stdout, re.M):
            sys.exit(f"never saw {expected!r}:\n{shown}")
    if ran.returncode != 0:
        sys.exit(f"exit status {ran.returncode}:\n{shown}")


main()
