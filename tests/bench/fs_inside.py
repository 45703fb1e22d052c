"""The file system from inside the system, hosted: tests/fsbench on an image in memory, alone and eight at once."""
import os
import re
import subprocess

HEADER = ["inside the system, hosted, no FUSE", "per second", "eight clients at once, together", "goal"]
CLIENTS = 8
GOALS = {"create": 60_000, "stat": 500_000, "unlink": 60_000}


def rates(gemel, image, script):
    done = subprocess.run([gemel, "run", "--rw", image, "-c", script], capture_output=True, text=True, timeout=300)
    found = {}
    for what, rate in re.findall(r"^(\w+) (\d+)$", done.stdout, re.M):
        found.setdefault(what, []).append(int(rate))
    if "memcpy" not in found:
        raise SystemExit(f"fsbench said nothing: {done.stdout[-500:]} {done.stderr[-500:]}")
    return found


def rows(gemel, work, quick):
    image = os.path.join(work, "inside")
    files = 300 if quick else 5000
    environment = dict(os.environ, PATH=os.environ["PATH"] + ":/usr/sbin:/sbin")
    subprocess.run(["mkfs.ext4", "-q", "-F", image, "1G"], check=True, env=environment, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    alone = rates(gemel, image, f"mkdir /one; fsbench /one {files} 1")
    together = rates(gemel, image, f"mkdir /eight; fsbench /eight {files} {CLIENTS}")
    for what, goal in GOALS.items():
        yield [what, f"{alone[what][0]:,}", f"{together[what][0]:,}", f"{goal:,}"]
    ratio = alone["memcpy"][0] / alone["read"][0]
    yield ["sequential read, cached", f"{alone['read'][0] / 1e6:,.0f} MB", f"{together['read'][0] / 1e6:,.0f} MB",
           f"within 1.5 of memcpy: {ratio:.2f}"]
