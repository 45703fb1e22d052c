"""The corpus of a campaign (docs/exploring.md): journals of runs that showed something new. Units are made from what
earlier generations kept; between two generations what covers nothing more is left out. `gemel sim --corpus` has it as a
folder, an engine carries it as one file, the store has it in rows."""
import base64
import json
import os
import re
import subprocess
import tempfile
import zlib

from store import strategy_words

GENERATION_UNITS = 8  # that are made from the same corpus, so that they may run at the same time
ENDINGS = ("gemel", "points")


class CorpusError(Exception):
    """What gemel sim said of a corpus that it would not take."""


def write_file(path, content):
    with open(path, "wb") as file:
        file.write(content)


def read_file(path):
    with open(path, "rb") as file:
        return file.read()


def numbers_in(folder):
    """Of the runs that are there with both of their files."""
    found = {int(name[1]) for name in map(re.compile(r"run-(\d+)\.gemel").fullmatch, os.listdir(folder)) if name}
    return sorted(number for number in found if os.path.exists(f"{folder}/run-{number}.points"))


def unpack(runs, folder):
    """`runs`: (number, journal, points), compressed."""
    for number, *parts in runs:
        for ending, part in zip(ENDINGS, parts):
            write_file(f"{folder}/run-{number}.{ending}", zlib.decompress(part))


def pack(folder, number):
    return (number, *(zlib.compress(read_file(f"{folder}/run-{number}.{ending}")) for ending in ENDINGS))


def to_text(runs):
    return json.dumps([[number, *(base64.b64encode(part).decode() for part in parts)] for number, *parts in runs])


def from_text(text):
    return [(number, *map(base64.b64decode, parts)) for number, *parts in json.loads(text)]


def minimised(program, campaign, runs):
    """(numbers that stay, how many points they cover)."""
    with tempfile.TemporaryDirectory(prefix="gemel-corpus-") as folder:
        unpack(runs, folder)
        words = [program, "sim", "--corpus", folder, "--minimise", "--workload", campaign["workload"], "--faults", campaign["faults"]]
        done = subprocess.run(words + strategy_words(campaign["strategy"]), capture_output=True, text=True, stdin=subprocess.DEVNULL)
        told = re.search(r"^corpus: \d+ runs kept, (\d+) points covered", done.stdout, re.M)
        if not told:
            raise CorpusError(done.stderr.strip() or f"gemel sim --minimise ended with status {done.returncode}")
        return numbers_in(folder), int(told[1])


def measure(store, program, campaign, runs):
    """How much is covered after so many runs, all of which have verdicts; the numbers of those that cover nothing more."""
    kept = store.kept(campaign, runs + 1)
    stays, points = minimised(program, campaign, kept)
    store.grow(campaign, runs, len(stays), points)
    return [run[0] for run in kept if run[0] not in stays]


class Carrier:
    """Files in `folder`, one for each generation, for units that run elsewhere."""

    def __init__(self, store, program, folder):
        self.store, self.program, self.folder = store, program, folder

    def loaded(self, unit):
        """The unit with the file that holds what it is made from."""
        if not unit["base"]:
            return unit
        path = f"{self.folder}/{unit['workload']}-{unit['strategy']}-{unit['base']}.corpus".replace(" ", "_")
        if not os.path.exists(path):
            if unit["base"] > 1:
                self.store.leave_out(unit, measure(self.store, self.program, unit, unit["base"] - 1))
            with open(path + ".new", "w", encoding="utf-8") as file:
                file.write(to_text(self.store.kept(unit, unit["base"])))
            os.replace(path + ".new", path)
        return dict(unit, corpus=path)
