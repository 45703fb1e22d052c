#!/usr/bin/env python3
"""One unit of a campaign: a range of seeds of one workload, run by `gemel sim`. Prints its verdict, one line of
JSON, on standard output: all that an engine has to carry home, from whichever machine."""
import base64
import json
import os
import re
import signal
import subprocess
import sys
import tempfile

import corpus
from processes import end_in_order, ends_with_starter
from store import CAMPAIGN, L1_BYTES, strategy_words

UNIT_SECONDS_MAX = 3600
PASSED = re.compile(r"^seed \d+  L1 ([0-9a-f]{32})", re.M)
ORIGIN = re.compile(r"\n  run:     (\d+) of the corpus: ")
JOURNAL = re.compile(r"\n  (?:again|run): [^\n]*\n  replay:  gemel replay ([^\n]*) --gdb$", re.M)
JOURNALS_MAX = 3  # of one unit: more of the same tell little
FAILURE = re.compile(  # what it was may take many lines: a deadlock names all threads
    r'^(FAIL|LEAK|INCONCLUSIVE) (\S+)  "(.*?)"  t=\+(\S+)s  event (\d+)  task (\S+)  seed 0x([0-9a-f]+)  L1 ([0-9a-f]+)\n'
    r"  kind:    ([^\n]*)$", re.M | re.S
)
TOTAL = re.compile(
    r"^(\d+) runs of .+: (\d+) failed, (\d+) different, (\d+) inconclusive; ([\d.]+) s, .*; (\d+) events, (\d+) virtual ms$",
    re.M,
)


def run_unit(program, unit):
    """`unit` may name a file with what its runs are made from: then these are a corpus's."""
    source = unit.pop("corpus", None)
    verdict = dict(unit, failures=[], kept=[], error=None)
    with tempfile.TemporaryDirectory(prefix="gemel-unit-") as folder:
        words = [program, "sim", "--seeds", f"{unit['first']}..{unit['last']}", "--each", "--journals", folder]
        words += ["--workload", unit["workload"], *strategy_words(unit["strategy"]), "--faults", unit["faults"]]
        before = load_corpus(source, f"{folder}/corpus") if source else []
        if source:
            words += ["--corpus", f"{folder}/corpus"]
        try:
            done = subprocess.run(
                words, capture_output=True, text=True, errors="replace", timeout=UNIT_SECONDS_MAX, stdin=subprocess.DEVNULL,
                preexec_fn=ends_with_starter(signal.SIGKILL),
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return dict(verdict, error=str(error))
        read_verdict(verdict, done)
        if source:
            verdict["kept"] = what_is_new(f"{folder}/corpus", before)
    return verdict


def load_corpus(source, folder):
    """The numbers of what is in there."""
    os.mkdir(folder)
    with open(source, encoding="utf-8") as file:
        corpus.unpack(corpus.from_text(file.read()), folder)
    return corpus.numbers_in(folder)


def what_is_new(folder, before):
    runs = [corpus.pack(folder, number) for number in corpus.numbers_in(folder) if number not in before]
    return [dict(zip(("run", "journal", "points"), run)) for run in json.loads(corpus.to_text(runs))]


def read_verdict(verdict, done):
    for told in FAILURE.finditer(done.stdout):
        kind, check, what, time, event, task, seed, l1, signature = told.groups()
        origin = ORIGIN.match(done.stdout, told.end())
        failure = {name: verdict[name] for name in CAMPAIGN}
        failure.update(kind=kind, signature=signature, what=f"{check}: {what}", time=time, event=int(event))
        failure.update(task=task, seed=int(origin[1]) if origin else int(seed, 16), l1=l1)
        failure["journal"] = journal_of(JOURNAL.match(done.stdout, told.end()))
        verdict["failures"].append(failure)
    for failure in [failure for failure in verdict["failures"] if failure["journal"]][JOURNALS_MAX:]:
        failure["journal"] = None
    total = TOTAL.search(done.stdout)
    if total:
        runs, failed, different, inconclusive = (int(word) for word in total.groups()[:4])
        verdict.update(runs=runs, failed=failed, different=different, inconclusive=inconclusive, seconds=float(total[5]))
        verdict.update(events=int(total[6]), virtual_s=int(total[7]) / 1000)
        l1s = b"".join(bytes.fromhex(l1)[:L1_BYTES] for l1 in PASSED.findall(done.stdout))
        verdict["l1s"] = base64.b64encode(l1s).decode()
    else:
        verdict["error"] = (done.stderr.strip() or f"gemel sim ended with status {done.returncode}")[-500:]


def journal_of(told):
    """The file that the lines below a failure name: one that told no L1 is not called by it."""
    if not told:
        return None
    with open(told[1], "rb") as file:
        return base64.b64encode(file.read()).decode()


def main():
    end_in_order(signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    program, unit = sys.argv[1], json.loads(sys.argv[2])
    print(json.dumps(run_unit(program, unit)), flush=True)


if __name__ == "__main__":
    main()
