#!/usr/bin/env python3
"""Campaigns (`gemel explore`): every engine gives the same verdicts, and a campaign survives being killed, resumed and
merged. An argument names tests by a part of their names. The last line counts."""
import contextlib
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from html.parser import HTMLParser

import one_node
from campaigns import (
    EXPLORE, FOUND, GEMEL, OK, REFUSED, TIMEOUT_S, TOP, Failed, Skipped, expect, explore, fresh, run_tests, verdicts,
)

# A workload with a known race: some of its seeds fail, the same ones every time.
BANK = ["--workload", "bank", "--faults", "none"]


def of_engine(folder, *words, environment=None):
    explore(folder, *BANK, "--seeds", "1..24", "--unit", "4", "--no-shrink", *words, environment=environment)
    units, failures = verdicts(folder)
    expect(len(units) == 6 and all(unit[5] == 4 for unit in units), f"six units of four runs: {units}")
    expect(failures, "no seed of the bank failed")
    return units, failures


# Goal: where a unit runs does not change what it finds.
def test_parallel_finds_what_local_finds():
    if not shutil.which("parallel"):
        raise Skipped("GNU parallel is not installed")
    with fresh() as here, fresh() as there:
        expect(of_engine(here) == of_engine(there, "--engine", "parallel"), "local and parallel differ")


def test_slurm_finds_what_local_finds():
    why = one_node.missing()
    if why:
        raise Skipped(why)
    with fresh() as here, fresh() as there, one_node.running() as environment:
        expect(of_engine(here) == of_engine(there, "--engine", "slurm", environment=environment), "local and Slurm differ")


# Goal: a campaign that was killed goes on where it was, and ends as if it had not been.
# Method: kill -9 when the first verdicts are in the file; count what is done before and after.
def test_killed_and_resumed():
    words = [*BANK, "--seeds", "1..60", "--unit", "1", "--no-shrink"]
    with fresh() as whole, killed_amid(words, 3, 60) as killed:
        explore(whole, *words)
        explore(killed, *words)
        expect(verdicts(whole) == verdicts(killed), "the resumed campaign differs from the whole one")


@contextlib.contextmanager
def killed_amid(words, some, all_units):
    """The folder of a campaign that was killed when it had at least `some` verdicts, and not all: on a busy host it may be over
    before we look, which is tried again."""
    for _ in range(10):
        with fresh() as folder:
            process = subprocess.Popen(
                EXPLORE + ["--store", f"{folder}/campaign", "--journals", folder, "--jobs", "1", *words],
                env=dict(os.environ, GEMEL_ROOT=TOP), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
            )
            while process.poll() is None and done_of(folder) < some:
                time.sleep(0.02)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if some <= done_of(folder) < all_units:
                yield folder
                return
    raise Failed(f"none of ten campaigns could be killed between {some} and {all_units} units")


def done_of(folder):
    """How many units have a verdict."""
    return sum(1 for unit in peek(folder) if unit[0] is not None) if os.path.exists(f"{folder}/campaign") else 0


def peek(folder):
    try:
        base = sqlite3.connect(f"file:{folder}/campaign?mode=rw", uri=True, timeout=5)
        rows = base.execute("SELECT runs FROM unit").fetchall()
        base.close()
        return rows
    except sqlite3.OperationalError:  # not made yet
        return []


# Goal: two halves merged, in either order and twice, are the whole.
def test_merged_by_union():
    options = [*BANK, "--unit", "4", "--no-shrink"]
    with fresh() as whole, fresh() as low, fresh() as high:
        explore(whole, *options, "--seeds", "1..24")
        explore(low, *options, "--seeds", "1..12")
        explore(high, *options, "--seeds", "13..24", "--merge", f"{low}/campaign")
        expect(verdicts(whole) == verdicts(high), "low into high differs from the whole")
        explore(high, "--no-run", "--no-shrink", "--merge", f"{low}/campaign")
        expect(verdicts(whole) == verdicts(high), "merging twice changed something")


# Goal: from the last lines of a campaign to the failure: one journal of each kind, shrunk, that fails in the same way.
def test_a_journal_of_each_kind_replays():
    with fresh() as folder:
        text = explore(folder, *BANK, "--seeds", "1..24")
        found = re.search(r"replay:  gemel replay (\S+) --gdb   \((\d+) decisions?\)", text)
        expect(found and int(found[2]) <= 5, f"a shrunk journal: {text}")
        expect("(1 decisions)" not in text, f"one is told as many: {text}")
        replay = subprocess.run([GEMEL, "replay", found[1]], capture_output=True, text=True, timeout=TIMEOUT_S)
        expect("bank: money was made or lost" in replay.stdout, f"replay: {replay.stdout}{replay.stderr}")
        again = re.search(r"again:   gemel (sim .*)", text)[1].split()
        run = subprocess.run([GEMEL, *again, "--journals", folder], capture_output=True, text=True, timeout=TIMEOUT_S)
        expect("bank: money was made or lost" in run.stdout, f"again: {run.stdout}{run.stderr}")


# Goal: a failure whose reason takes many lines, as a deadlock's does, is told, kept and shrunk as any other.
def test_a_reason_of_many_lines():
    with fresh() as folder:
        text = explore(folder, "--workload", "cat", "--faults", "none", "--seeds", "1..3", "--report", f"{folder}/report.html")
        expect("3 failed" in text and "1 kinds" in text and "FAIL deadlock: nothing can happen any more" in text, text)
        expect("gsh: awaiting a reply of console: 3 times" in text or "gsh: receiving: 3 times" in text, text)
        journal = re.search(r"replay:  gemel replay (\S+) --gdb   \(\d+ decisions?\)", text)
        expect(journal, f"no shrunk journal: {text}")
        replay = subprocess.run([GEMEL, "replay", journal[1]], capture_output=True, text=True, timeout=TIMEOUT_S)
        expect(replay.stdout.startswith("FAIL deadlock"), replay.stdout)
        with open(f"{folder}/report.html", encoding="utf-8") as page:
            expect("gsh: receiving" in page.read(), "the report does not tell who waits")


# Goal: a campaign shrinks what ends in a leak or by a signal as it does what a check says.
# Method: the host of tests/sim, which goes wrong when the second end of a pipe was quicker than the first.
def test_every_end_is_shrunk():
    for letter, told, status in (("L", "LEAK jail: system call", 3), ("S", "FAIL host: the run died of", FOUND)):
        with fresh() as folder:
            library = f"{TOP}/build/hosted/tests/libhost_plant.so"
            text = explore(folder, "--workload", f"echo PLANT-A > /dev/console | echo PLANT-{letter}", "--faults", "none", "--seeds",
                           "20..30", environment={"LD_PRELOAD": library}, status=status)
            left = re.search(r"replay:  gemel replay \S+ --gdb   \((\d+) decisions?\)", text)
            expect(text.startswith(told) and " 1 kinds" in text and left and 1 <= int(left[1]) <= 5, text)
            journal = re.search(r"first seed (\d+) ", text)[1]
            expect(f"{folder}/fail-seed{journal}.gemel" in text, f"a file of its own: {text}")


def left_of(folder):
    """What runs with this folder for its temporary files, and what lies there of units."""
    running = []
    for process in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{process}/environ", "rb") as environ:
            if f"TMPDIR={folder}".encode() in environ.read().split(b"\0"):
                running.append(process)
    return running, [name for name in os.listdir(folder) if name.startswith("gemel-unit-")]


def gone(folder):
    """Waits until nothing is left: a process that was killed is there for a moment, on a busy host for longer."""
    for _ in range(1200):
        if left_of(folder) == ([], []):
            return True
        time.sleep(0.05)
    return False


SLOW = ["--workload", "boot", "--workload", "steady", "--faults", "none", "--cpus", "1", "--unit", "60", "--no-shrink"]


# Goal: when the budget is spent, nothing of the campaign goes on: no process and no folder.
# Method: the first verdict ends it, while a unit that takes much longer runs.
def test_nothing_outlives_a_budget():
    for engine in ("local", "parallel"):
        if shutil.which("parallel") or engine == "local":
            with fresh() as folder:
                os.mkdir(f"{folder}/tmp")
                explore(folder, *SLOW, "--budget", "0.1s", "--engine", engine, environment={"TMPDIR": f"{folder}/tmp"}, status=OK)
                expect(gone(f"{folder}/tmp"), f"{engine}: left are {left_of(f'{folder}/tmp')}")
                ran = [unit[0] for unit in verdicts(folder)[0] if unit[5] is not None]
                expect(set(ran) == {"boot"}, f"{engine}: verdicts of {ran}")


def end_by(number, *words, environment=None):
    """A campaign that gets this signal while two of its units run: nothing of it is left."""
    with fresh() as folder:
        os.mkdir(f"{folder}/tmp")
        process = subprocess.Popen(
            EXPLORE + ["--store", f"{folder}/campaign", "--journals", folder, "--jobs", "2", *SLOW, *words],
            env={**os.environ, **(environment or {}), "GEMEL_ROOT": TOP, "TMPDIR": f"{folder}/tmp"},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        for _ in range(400):
            time.sleep(0.05)
            if len(left_of(f"{folder}/tmp")[1]) == 2:
                break
        process.send_signal(number)
        process.wait()
        expect(gone(f"{folder}/tmp"), f"{number}: left are {left_of(f'{folder}/tmp')}")
        if number == signal.SIGTERM:
            expect(os.listdir(f"{folder}/tmp") == [], f"left are {os.listdir(f'{folder}/tmp')}")


# Goal: nor when it is ended from outside, in order or not.
def test_nothing_outlives_a_campaign():
    end_by(signal.SIGTERM)
    end_by(signal.SIGKILL)


def test_slurm_jobs_end_with_a_campaign():
    why = one_node.missing()
    if why:
        raise Skipped(why)
    with one_node.running() as environment:
        end_by(signal.SIGTERM, "--engine", "slurm", environment=environment)


class Shape(HTMLParser):
    """Counts what a page opens and closes, and keeps its text."""

    EMPTY = ("meta", "rect", "polyline")

    def __init__(self):
        super().__init__()
        self.open, self.text = [], ""

    def handle_starttag(self, tag, attributes):
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag in self.EMPTY:
            return
        expect(self.open and self.open.pop() == tag, f"</{tag}> closes something else")

    def handle_data(self, data):
        self.text += data


# Goal: the page says what the campaign's file says, and how to see each failure.
def test_report():
    with fresh() as folder:
        explore(folder, *BANK, "--seeds", "1..12", "--no-shrink", "--report", f"{folder}/report.html")
        shape = Shape()
        with open(f"{folder}/report.html", encoding="utf-8") as page:
            shape.feed(page.read())
        expect(not shape.open, f"left open: {shape.open}")
        failures = verdicts(folder)[1]
        first = failures[0][1]
        for part in ("12 runs", f"{len(failures)} failed", f"gemel sim --seed {first} --workload bank", "kernel.no_page"):
            expect(part in shape.text, f"{part} is not in: {shape.text}")


# Goal: without a failure the status is 0; a bounded time ends; a second start takes other seeds.
def test_budget():
    words = ["--workload", "boot", "--faults", "none", "--budget", "2s", "--unit", "2"]
    with fresh() as folder:
        explore(folder, *words, status=OK)
        before = {unit[3] for unit in verdicts(folder)[0] if unit[5] is not None}
        explore(folder, *words, status=OK)
        after = {unit[3] for unit in verdicts(folder)[0] if unit[5] is not None}
        expect(before and before < after, f"new seeds in the second run: {before}, {after}")


# Goal: words and files that make no sense are refused with what to do, and nothing is changed.
def test_refusals():
    with fresh() as folder:
        for words, said in (
            (["--seeds", "9..3"], "A at most B"), (["--budget", "soon"], "no length of time"), (["--jobs", "0"], "from 1 to"),
            (["--strategy", "corpus", "--seeds", "5..9"], "say --seeds 1..N"), (["--campaign-seed", "-1"], "say a number below"),
            (["--merge", f"{folder}/none"], "there is no such file"), (["--engine", "abacus"], "invalid choice"),
        ):
            expect(said in explore(folder, *words, status=REFUSED), f"{words}: {said}")
        text = explore(folder, "--workload", "nothing-of-that-name", "--seeds", "1..2", status=FOUND)
        expect("1 kinds" in text or "NOT RUN" in text, f"an unknown workload: {text}")
        with open(f"{folder}/campaign", "wb") as file:
            file.write(b"this is a letter, not a data base " * 100)
        expect("name another file" in explore(folder, "--seeds", "1..2", status=REFUSED), "a file that is no campaign")
        with open(f"{folder}/campaign", "rb") as file:
            expect(file.read().startswith(b"this is a letter"), "the letter was changed")


SAFE = ["--workload", "safe", "--faults", "none"]  # fails after six rare events in a row
CAMPAIGNS, RUNS_MAX = 4, 1500


def sim(folder, *words):
    """How many runs it took, and what gemel sim printed; the first failure ends it."""
    done = subprocess.run([GEMEL, "sim", *SAFE, "--first-failure", "--journals", folder, *words], capture_output=True,
                          text=True, timeout=TIMEOUT_S, stdin=subprocess.DEVNULL)
    total = re.search(r"^(\d+) runs of safe", done.stdout, re.M)
    expect(total, f"gemel sim {words}: {done.stdout}{done.stderr}")
    return int(total[1]), done.stdout


# Goal: a corpus finds what fresh seeds do not, and it is the guidance that does it.
# Method: campaigns with a corpus until one opens the safe; as many fresh seeds; the same campaigns without guidance.
def test_corpus_finds_what_seeds_do_not():
    with fresh() as folder:
        lengths, text = [], ""
        while len(lengths) < CAMPAIGNS and "FAIL" not in text:
            number = len(lengths)
            runs, text = sim(folder, "--corpus", f"{folder}/{number}", "--campaign-seed", f"{number}", "--seeds", f"1..{RUNS_MAX}")
            lengths.append(runs)
        expect("safe: it is open" in text, f"{CAMPAIGNS} campaigns of {RUNS_MAX} runs do not open it: {text}")
        total = sum(lengths)
        expect("FAIL" not in sim(folder, "--seeds", f"1..{total}")[1], f"{total} fresh seeds open it, too")
        for number, runs in enumerate(lengths):
            _, unguided = sim(folder, "--corpus", f"{folder}/without-{number}", "--no-guidance", "--campaign-seed", f"{number}",
                              "--seeds", f"1..{runs}")
            expect("FAIL" not in unguided, f"campaign {number} opens it without guidance")
        journal = re.search(r"replay:  gemel replay (\S+)", text)[1]
        replay = subprocess.run([GEMEL, "replay", journal], capture_output=True, text=True, timeout=TIMEOUT_S)
        expect("safe: it is open" in replay.stdout and "DIFFERENT" not in replay.stdout, f"replay: {replay.stdout}")
        print(f"         opened by run {lengths[-1]} of campaign {len(lengths) - 1}, {total} in all", flush=True)


CORPUS = [*SAFE, "--strategy", "corpus", "--seeds", "1..64", "--unit", "4"]  # two generations


def corpus_of(folder):
    """What a campaign kept and how it grew; everything but time."""
    base = sqlite3.connect(f"{folder}/campaign")
    kept = base.execute("SELECT strategy, run, journal, points FROM kept ORDER BY 1, 2").fetchall()
    grown = base.execute("SELECT strategy, runs, kept, points FROM growth ORDER BY 1, 2").fetchall()
    base.close()
    expect(kept and grown, "nothing was kept")
    expect(grown == sorted(grown, key=lambda row: (row[0], row[3])), f"coverage shrank: {grown}")
    return kept, grown, verdicts(folder)


def of_corpus(folder, *words, environment=None):
    explore(folder, *CORPUS, *words, environment=environment, status=OK)
    return corpus_of(folder)


# Goal: what a corpus keeps is a function of the campaign's seed and units: however many run at a time, and wherever.
def test_corpus_is_the_same_everywhere():
    with fresh() as one, fresh() as four, fresh() as there, fresh() as other:
        alone = of_corpus(one, "--jobs", "1")
        expect([row[1] for row in alone[1]] == [32, 64], f"two generations: {alone[1]}")
        dropped = [row[1] for row in alone[0] if row[2] is None]
        expect(dropped and len(dropped) < len(alone[0]), f"some journals are left out, not all: {dropped}")
        expect(of_corpus(four, "--jobs", "4") == alone, "four at a time differ from one")
        if shutil.which("parallel"):
            expect(of_corpus(there, "--engine", "parallel") == alone, "GNU parallel differs")
        expect(of_corpus(other, "--campaign-seed", "1")[0] != alone[0], "another campaign's seed changes nothing")


def test_slurm_keeps_what_local_keeps():
    why = one_node.missing()
    if why:
        raise Skipped(why)
    with fresh() as here, fresh() as there, one_node.running() as environment:
        expect(of_corpus(here) == of_corpus(there, "--engine", "slurm", environment=environment), "local and Slurm differ")


# Goal: a corpus goes on where it was killed, and campaigns merge by union: twice is once, and what was left out stays so.
def test_corpus_resumed_and_merged():
    with fresh() as whole, killed_amid(CORPUS, 9, 16) as killed, fresh() as early, fresh() as other:
        expected = of_corpus(whole)
        of_corpus(early, "--seeds", "1..32")  # nothing is left out yet
        explore(early, "--no-run", "--merge", f"{whole}/campaign", status=OK)
        expect(corpus_of(early) == expected, "what the whole left out is back in the half that took it in")
        expect(of_corpus(killed) == expected, "the resumed campaign differs from the whole one")
        of_corpus(other, "--campaign-seed", "1", "--seeds", "1..32")
        for _ in range(2):
            text = explore(other, "--no-run", "--merge", f"{whole}/campaign", "--report", f"{other}/report.html", status=OK)
        kept, grown, _ = corpus_of(other)
        expect({row[0] for row in kept} == {"corpus", "corpus#1"}, "both corpora are there")
        expect([row for row in kept if row[0] == "corpus"] == expected[0], "merging changed a corpus")
        expect([row for row in grown if row[0] == "corpus"] == expected[1], "merging changed how it grew")
        expect(f"{expected[1][-1][3]} points covered by 64 runs" in text, f"what is told: {text}")
        with open(f"{other}/report.html", encoding="utf-8") as page:
            expect("Covered by corpus of safe" in page.read(), "the report draws no coverage")


BUILD_SCRIPT = """build() {
    [ ! -e broken ] || return 1
    mkdir -p build/hosted/frontends/cli
    { echo '#!/bin/sh'; echo "[ \$GEMEL_ROOT = $PWD ] || exit 1" # the tree's own: another build of it is looked for there
        [ ! -e bug ] || echo "echo 'FAIL workload  \\"lost 17 coins\\"  t=+0.1s  event 5  task -  seed 0x7  L1 ab12'"
        [ ! -e bug ] || [ -e told-nothing ] || echo "echo '  kind:    workload: lost N coins'"
    } >build/hosted/frontends/cli/gemel
    chmod +x build/hosted/frontends/cli/gemel
}
"""


# What fails is what the real program says of the workload that the commit names.
BUILD_SCRIPT_REAL = f"""build() {{
    mkdir -p build/hosted/frontends/cli
    {{ echo '#!/bin/sh'; echo "shift; exec {GEMEL} sim --workload '$(cat workload)' \\"\\$@\\""; }} >build/hosted/frontends/cli/gemel
    chmod +x build/hosted/frontends/cli/gemel
}}
"""


class Repository:
    def __init__(self, tree, script):
        self.tree = tree
        subprocess.run(["git", "init", "-q", tree], check=True)
        os.mkdir(f"{tree}/scripts")
        self.write({"scripts/common.sh": script})

    def write(self, files):
        for name, text in files.items():
            with open(f"{self.tree}/{name}", "w", encoding="utf-8") as file:
                file.write(text)

    def commit(self, number, files):
        self.write(files)
        subprocess.run(["git", "-C", self.tree, "add", "-A"], check=True)
        identity = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org"]
        subprocess.run(["git", "-C", self.tree, *identity, "commit", "-qm", f"commit {number}", "--allow-empty"], check=True)
        subprocess.run(["git", "-C", self.tree, "tag", f"c{number}"], check=True)


def bisect(tree, *words, status):
    done = subprocess.run(
        [sys.executable, f"{TOP}/frontends/campaign/bisect.py", *words], env=dict(os.environ, GEMEL_ROOT=tree),
        capture_output=True, text=True, timeout=TIMEOUT_S, stdin=subprocess.DEVNULL,
    )
    expect(done.returncode == status, f"status {done.returncode}, not {status}: {done.stdout}{done.stderr}")
    return done.stdout + done.stderr


# Goal: the commit that brought a failure is named, also when one between does not build.
# Method: a repository of ten commits with a build of its own; the seventh makes the program print a failure.
def test_bisect():
    with fresh() as tree:
        repository = Repository(tree, BUILD_SCRIPT)
        for number in range(1, 11):
            if number == 5:
                os.unlink(f"{tree}/broken")
            repository.commit(number, {4: {"broken": "x"}, 7: {"bug": "x"}}.get(number, {"other": str(number)}))
        sim = ["--", "--seeds", "1..3", "--workload", "bank"]
        expect("commit 7" in bisect(tree, "--good", "c1", *sim, status=OK), "the seventh commit")
        expect("nothing fails" in bisect(tree, "--good", "c1", "--bad", "c6", *sim, status=FOUND), "a bad commit that is good")
        expect("older commit" in bisect(tree, "--good", "c8", *sim, status=FOUND), "a good commit that is bad")
        expect("no commit" in bisect(tree, "--good", "nothing", *sim, status=1), "a revision that is none")
        repository.commit(11, {"told-nothing": "x"})
        expect("no kind" in bisect(tree, "--good", "c1", *sim, status=1), "a failure whose program tells no kind")


# Goal: also what the simulator itself says, in as many lines as it takes.
# Method: commits that name a workload for the real program; from the third on one that deadlocks.
def test_bisect_of_a_deadlock():
    with fresh() as tree:
        repository = Repository(tree, BUILD_SCRIPT_REAL)
        for number in range(1, 6):
            repository.commit(number, {"workload": "cat" if number >= 3 else "boot", "other": str(number)})
        text = bisect(tree, "--good", "c1", "--", "--seeds", "1..2", "--faults", "none", status=OK)
        expect("looking for: deadlock: nothing can happen" in text and "commit 3" in text, text)


if __name__ == "__main__":
    run_tests(dict(globals()))
