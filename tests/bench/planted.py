"""How soon each strategy finds each planted defect (tests/campaign/planted), and how few decisions are left after shrinking.

A search runs seeds until one fails that passes without the defect, at most `runs`; it is repeated with other seeds. What
is known is kept beside the build and is not run again: a bench that was stopped, or whose time was over, goes on.
"""
import concurrent.futures
import hashlib
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, f"{TOP}/tests/campaign/planted")

import run as campaign  # noqa: E402
from plants import CRASH, PLANTS  # noqa: E402

STRATEGIES = ("run-to-block", "random-walk", "preempt", "pct", "delay", "pos", "urw", "portfolio", "corpus")
COLUMNS = ("defect", *STRATEGIES, "left")
SEEDS_APART = 100_000  # of repetitions


@dataclass(frozen=True)
class Extent:
    runs: int  # of one search at most
    repetitions: int
    seconds: int  # of the whole


FULL, QUICK = Extent(60, 3, 900), Extent(15, 1, 180)


class Known:
    """What was found out about this build: searches by their name."""

    def __init__(self):
        with open(campaign.PROGRAM, "rb") as file:
            build = hashlib.sha256(file.read()).hexdigest()
        self.path = f"{TOP}/build/planted/bench-{build[:12]}.json"
        self.lock = threading.Lock()
        self.of = {}
        if os.path.exists(self.path):
            with open(self.path, encoding="utf-8") as file:
                self.of = json.load(file)

    def put(self, name, value):
        with self.lock:
            self.of[name] = value
            with open(self.path + ".new", "w", encoding="utf-8") as file:
                json.dump(self.of, file)
            os.replace(self.path + ".new", self.path)


def timed(number, *words):
    """What it says, and the processor seconds that it and its runs took."""
    with tempfile.TemporaryFile("w+", errors="replace") as out:
        process = subprocess.Popen(
            [campaign.PROGRAM, *words], stdout=out, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
            env=dict(os.environ, GEMEL_MUTANT=str(number)), preexec_fn=campaign.limit_processor)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        return out.read(), used.ru_utime + used.ru_stime


def search_corpus(number, repetition, extent):
    """The same for runs that are made from those before: another campaign's for each repetition."""
    words = ("sim", "--workload", PLANTS[number - 1].workload, "--campaign-seed", str(repetition))
    with tempfile.TemporaryDirectory(prefix="gemel-planted-") as folder:
        words += ("--seeds", f"1..{extent.runs}", "--journals", folder)
        for more in (("--corpus", f"{folder}/first", "--first-failure"), ("--corpus", f"{folder}/all")):
            text, seconds = timed(number, *words, *more)
            told = re.findall(r"  L1 ([0-9a-f]{8})[0-9a-f]*\n  run:     (\d+) of the corpus", text)
            for l1, run in told:
                journal = f"{folder}/fail-{l1}.gemel"
                if not os.path.exists(journal) or "FAIL " not in timed(0, "replay", journal)[0]:
                    return [int(run), seconds, True, None]
            if not told:
                break  # otherwise: what failed first fails without the defect, too
    return [extent.runs, seconds, False, None]


def search(number, strategy, repetition, extent):
    """[runs, processor seconds, found, decisions left or None]."""
    if strategy == "corpus":
        return search_corpus(number, repetition, extent)
    plant, first = PLANTS[number - 1], 1 + SEEDS_APART * repetition
    seed, end, seconds = first, first + extent.runs - 1, 0.0
    with tempfile.TemporaryDirectory(prefix="gemel-planted-") as folder:
        while seed <= end:
            words = ("sim", "--workload", plant.workload, "--strategy", strategy, "--journals", folder)
            text, took = timed(number, *words, "--seeds", f"{seed}..{end}", "--first-failure")
            seconds += took
            told = campaign.failures(text)
            if not told:
                break
            without, _ = timed(0, *words, "--seeds", f"{told[0][0]}..{told[0][0]}")
            if not campaign.failures(without):
                found = campaign.Found(told[0], text)
                if strategy == "portfolio":
                    campaign.shrink(number, found, folder)
                return [told[0][0] - first + 1, seconds, True, found.left]
            seed = told[0][0] + 1
    return [extent.runs, seconds, False, None]


def searches(extent):
    """Each repetition of everything before the next; what schedules matter to before what the disk alone decides."""
    numbers = sorted(range(1, len(PLANTS) + 1), key=lambda number: PLANTS[number - 1].workload == CRASH)
    return [(number, strategy, repetition) for repetition in range(extent.repetitions)
            for number in numbers for strategy in STRATEGIES]


def measure(extent):
    """Everything that is known at the end, by plant and strategy, and how many searches are missing."""
    known, end = Known(), time.monotonic() + extent.seconds

    def one(task):
        name = f"{task} of {extent.runs}"
        if name not in known.of and time.monotonic() < end:
            known.put(name, search(*task, extent))
        return task, known.of.get(name)

    by, missing = {}, 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for (number, strategy, _), found in pool.map(one, searches(extent)):
            if found:
                by.setdefault((number, strategy), []).append(found)
            else:
                missing += 1
    return by, missing


def cell(found, extent):
    """Median runs, and the processor seconds of the search with as many."""
    if not found:
        return "-"
    runs = sorted([each[0] if each[2] else extent.runs + 1, each[1]] for each in found)
    middle = runs[(len(runs) - 1) // 2]
    return f"over {extent.runs}" if middle[0] > extent.runs else f"{middle[0]} ({middle[1]:.2f} s)"


def table(extent):
    by, missing = measure(extent)
    left = {}
    for number, plant in enumerate(PLANTS, 1):
        decisions = [each[3] for each in by.get((number, "portfolio"), []) if each[3] is not None]
        left[number] = statistics.median_low(decisions) if decisions else None
        yield (f"{plant.kind}: {plant.what} (`{plant.workload}`)",
               *(cell(by.get((number, strategy)), extent) for strategy in STRATEGIES),
               "-" if left[number] is None else str(left[number]))
    yield ("found, of all searches", *(share(by, strategy) for strategy in STRATEGIES),
           "median " + str(statistics.median([each for each in left.values() if each is not None] or [0])))
    if missing:
        yield (f"{missing} searches are missing: the same command goes on", *[""] * (len(STRATEGIES) + 1))


def share(by, strategy):
    every = [each for (_, name), found in by.items() if name == strategy for each in found]
    return f"{sum(each[2] for each in every)} of {len(every)}"
