#!/usr/bin/env python3
"""Runs the system tests of tests/system/*.test on one face: hosted, x86_64 or arm64.

Many cases share one boot: the disk holds a script for each case and one that runs them all in turn,
with a marker before and after each. A case that never ends costs a reboot, and the rest goes on.
The last line counts: N passed, M failed, K skipped.
"""
import argparse
import glob
import os
import re
import secrets
import select
import subprocess
import sys
import tempfile
import time

import cases

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
REBOOTS_MAX = 5
IMAGE_MIB = 64


def build(face, preset):
    """What the boots need, before any of them is timed."""
    for words in [[preset, "gemel"]] + ([[face]] if face != "hosted" else []):
        subprocess.run([f"{TOP}/scripts/build.sh", *words], check=True)


def command_for(face, preset, image, script, options, cpus=1, more=()):
    start = ["run", *more] if face == "hosted" else ["boot", "--arch", face]
    start += ["--cpus", str(cpus)]
    return [f"{TOP}/build/{preset}/frontends/cli/gemel", *start, image, *options, "-c", script]


def make_image(folder, concretes, marker):
    tree, image = f"{folder}/root", f"{folder}/disk.img"
    cases.write_tree(tree, concretes)
    with open(f"{tree}/t/all", "w", encoding="utf-8") as file:
        for number in range(len(concretes)):
            file.write(f"echo {marker} begin {number}\ngsh /t/{number}\necho {marker} end {number} $?\n")
    environment = dict(os.environ, PATH=os.environ["PATH"] + ":/usr/sbin:/sbin")
    subprocess.run(
        ["mkfs.ext4", "-q", "-d", tree, image, f"{IMAGE_MIB}M"],
        check=True, env=environment, stdout=subprocess.DEVNULL,
    )
    return image


def boot(command, quiet_s, whole_s):
    """The console's text, and why it ended: "" or a reason. Killed when silent or slow."""
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    text, began, reason = b"", time.monotonic(), ""
    while True:
        left = whole_s - (time.monotonic() - began)
        ready, _, _ = select.select([process.stdout], [], [], min(quiet_s, max(left, 0)))
        if not ready:
            reason = f"nothing for {quiet_s} s" if left > quiet_s else f"not done in {whole_s} s"
            os.killpg(process.pid, 9)
            break
        piece = os.read(process.stdout.fileno(), 65536)
        if not piece:
            break
        text += piece
    status = process.wait()
    if not reason and status != 0:
        reason = f"exit status {status}"
    return text.decode("latin-1"), reason


def split_output(text, marker):
    """Output and status by case number; the number of the one that began and did not end."""
    ended = {}
    pattern = re.compile(rf"{marker} begin (\d+)\n(.*?){marker} end \1 (\d+)\n", re.S)
    for match in pattern.finditer(text):
        ended[int(match[1])] = (match[2], int(match[3]))
    begun = [int(number) for number in re.findall(rf"{marker} begin (\d+)\n", text)]
    hanging = begun[-1] if begun and begun[-1] not in ended else None
    return ended, hanging


def judge(concrete, output, status):
    """Nothing if the case passed, otherwise what was wrong."""
    wrong = []
    if not re.fullmatch(concrete.expected, output):
        wrong.append(f"expected:\n{indent(concrete.shown)}got:\n{indent(output)}")
    if status != concrete.status:
        wrong.append(f"status {status}, expected {concrete.status}\n")
    return "".join(wrong)


def indent(text, mark="|"):
    text = text if len(text) < 4000 else text[:4000] + "\n... (cut)\n"
    return "".join(f"    {mark} {line}\n" for line in text.splitlines()) or "    (nothing)\n"


def room_of(image):
    """The bytes that a file takes of the host's disk."""
    return os.stat(image).st_blocks * 512


def judge_image(image, concretes, room_before):
    """What e2fsck and debugfs find wrong with a disk that was written, and whether it gave room back."""
    environment = dict(os.environ, PATH=os.environ["PATH"] + ":/usr/sbin:/sbin")

    def ask(*words):
        return subprocess.run([*words, image], env=environment, capture_output=True, check=False)

    check = ask("e2fsck", "-fn")
    wrong = "" if check.returncode == 0 else f"e2fsck -fn:\n{indent(check.stdout.decode('latin-1'))}"
    for concrete in concretes:
        if concrete.shrinks and room_of(image) > room_before - concrete.shrinks:
            wrong += f"the image takes {room_of(image)} bytes of the host, before {room_before}: not {concrete.shrinks} less\n"
        for path, line in concrete.image.items():
            found = ask("debugfs", "-R", f"cat {path}").stdout.decode("latin-1")
            if found != line:
                wrong += f"debugfs says of {path}:\n{indent(found)}expected:\n{indent(line)}"
        for path, line in concrete.holds:
            found = ask("debugfs", "-R", f"cat {path}").stdout.decode("latin-1")
            if not any(re.fullmatch(line, one) for one in found.splitlines()):
                wrong += f"debugfs says of {path}:\n{indent(found)}expected a line:\n{indent(line)}"
    return wrong


class Runner:
    def __init__(self, options):
        self.face, self.preset = options.face, options.preset
        self.seed, self.keep = options.seed, options.keep
        self.cpus = options.cpus
        self.more = ["--isolate"] * options.isolate + ["--host-threads"] * options.host_threads
        self.passed = self.failed = self.boots = 0
        slow = self.face != "hosted" or self.preset != "hosted"
        self.quiet_s = 120 if slow else 30
        self.whole_s = 900 if slow else 300

    def report(self, concrete, wrong):
        if not wrong:
            self.passed += 1
            return
        self.failed += 1
        print(f"FAIL {self.face}: {concrete.case.title}  ({concrete.case.where}, --seed {self.seed})")
        print(indent(concrete.script, "$") + wrong, flush=True)

    def batch(self, concretes, options=()):
        """Runs these cases, rebooting behind one that hangs or kills the system."""
        for _ in range(REBOOTS_MAX):
            if not concretes:
                return
            concretes = self.one_boot(concretes, options)
        for concrete in concretes:
            self.failed += 1
            print(f"FAIL {self.face}: {concrete.case.title} (not run: the system ended early in every boot)")

    def one_boot(self, concretes, options):
        """Reports the cases that this boot decided; returns those that it never reached."""
        marker = "@" + secrets.token_hex(6)
        with tempfile.TemporaryDirectory(prefix="gemel-system-") as folder:
            image = make_image(folder, concretes, marker)
            room = room_of(image)
            command = command_for(self.face, self.preset, image, "gsh /t/all", list(options), self.cpus, self.more)
            text, reason = boot(command, self.quiet_s, self.whole_s)
            spoiled = judge_image(image, concretes, room) if "--rw" in options else ""
        self.boots += 1
        if self.keep:
            with open(f"{self.keep}/{self.face}-{self.boots}.log", "w", encoding="utf-8") as log:
                log.write(text)
        ended, hanging = split_output(text, marker)
        for number, (output, status) in ended.items():
            self.report(concretes[number], judge(concretes[number], output, status) + spoiled)
        left = [c for number, c in enumerate(concretes) if number not in ended]
        if hanging is not None:
            tail = text[text.rindex(f"{marker} begin") :]
            self.report(concretes[hanging], f"the case did not end ({reason}):\n{indent(tail)}")
            left.remove(concretes[hanging])
        elif left and not ended:
            print(f"{self.face}: no case ran ({reason}). The console:\n{indent(text[-4000:])}")
        return left


def chosen_cases(options):
    files = options.files or sorted(glob.glob(f"{TOP}/tests/system/*.test"))
    found = [case for path in files for case in cases.parse(path)]
    titles = [case.title for case in found]
    twice = {title for title in titles if titles.count(title) > 1}
    if twice:
        raise cases.FormatError(f"two cases have the same title: {', '.join(sorted(twice))}")
    return [case for case in found if options.only in case.title]


def main():
    parser = argparse.ArgumentParser(description="the system tests, on one face")
    parser.add_argument("--face", choices=["hosted", "x86_64", "arm64"], default="hosted")
    parser.add_argument("--preset", default="hosted", help="hosted: another build than ./gemel's, for instance hosted-asan")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1 << 32))
    parser.add_argument("--cpus", type=int, default=1, help="how many processors the machine has")
    parser.add_argument("--host-threads", action="store_true", help="hosted: each processor is a host thread")
    parser.add_argument("--isolate", action="store_true", help="hosted: loads and stores stay in their task")
    parser.add_argument("--only", default="", help="cases whose title holds this")
    parser.add_argument("--keep", help="a folder for the consoles' text")
    parser.add_argument("files", nargs="*")
    options = parser.parse_args()
    try:
        concretes = [cases.instantiate(case, options.seed) for case in chosen_cases(options)]
    except cases.FormatError as error:
        sys.exit(f"run.py: {error}")
    build(options.face, options.preset)
    print(f"{options.face}: {len(concretes)} cases, --seed {options.seed}", flush=True)
    runner = Runner(options)
    runner.batch([c for c in concretes if not c.case.alone])
    for concrete in concretes:
        if concrete.case.alone:
            runner.batch([concrete], concrete.case.options)
    print(f"{runner.passed} passed, {runner.failed} failed, 0 skipped")
    sys.exit(2 if runner.failed or not concretes else 0)


if __name__ == "__main__":
    main()
