#!/usr/bin/env python3
"""gemel explore: many seeds of many workloads, for a time or a range, resumable; see docs/exploring.md."""
import argparse
import base64
import contextlib
import hashlib
import itertools
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time

import corpus
import report
from engines import ENGINES, EngineError
from processes import end_in_order
from store import CAMPAIGN, Store, StoreError, in_ways, is_corpus, of_corpus
from unit import FAILURE

TOP = os.environ.get("GEMEL_ROOT") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WORKLOADS = ("boot", "posix-mix", "server-kill")
STRATEGIES = ("run-to-block", "random-walk", "preempt", "pct", "delay", "pos", "urw", "portfolio", "corpus")
UNITS = {"s": 1, "m": 60, "h": 3600}
BATCH_PER_JOB = 4  # units that an engine is given at once
SHRINK_TIME = "90s"
SHRINK_SECONDS_MAX = 300  # with the first run and the last, which may each take a minute


def seconds_of(text):
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text)
    if not found:
        raise argparse.ArgumentTypeError(f"{text} is no length of time: say 60s, 10m or 1h")
    return float(found[1]) * UNITS[found[2]]


def range_of(text):
    found = re.fullmatch(r"(\d+)\.\.(\d+)", text)
    if not found or int(found[1]) > int(found[2]) or int(found[2]) >= 1 << 62:
        raise argparse.ArgumentTypeError(f"{text} is no range: say A..B, both included, A at most B")
    return int(found[1]), int(found[2])


def count_of(text):
    if not text.isdigit() or not 1 <= int(text) <= 4096:
        raise argparse.ArgumentTypeError(f"{text}: say a number from 1 to 4096")
    return int(text)


def campaign_seed_of(text):
    if not text.isdigit() or int(text) >= 1 << 32:
        raise argparse.ArgumentTypeError(f"{text}: say a number below 4294967296")
    return int(text)


def build_of(program):
    """What a verdict is a verdict on: the program's own bytes."""
    digest = hashlib.sha256()
    with open(program, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()[:16]


def configurations(options, build):
    for workload in options.workload or WORKLOADS:
        for strategy in options.strategy or ("portfolio",):
            strategy = of_corpus(options.campaign_seed) if strategy == "corpus" else strategy
            for cpus in options.cpus:
                strategy_here = in_ways(strategy, cpus, options.preempt)
                yield {"build": build, "workload": workload, "strategy": strategy_here, "faults": options.faults}


def plan(store, options, build, without=()):
    """The range that was asked for, or the next batch of unseen seeds. A generation of a corpus waits for the one before."""
    units, step = [], options.unit
    generation = step * corpus.GENERATION_UNITS
    for each in configurations(options, build):
        kept = is_corpus(each["strategy"])
        if campaign_of(each) in without or (kept and not options.seeds and store.is_waiting(each)):
            continue
        if options.seeds:
            first, end = options.seeds
        else:
            first = store.next_seed(**each)
            end = first + (generation if kept else step * options.jobs * BATCH_PER_JOB) - 1
        for begin in range(first, end + 1, step):
            base = begin - (begin - first) % generation if kept else 0
            units.append(dict(each, first=begin, last=min(begin + step - 1, end), base=base))
    store.plan(units)


def campaign_of(unit):
    return tuple(unit[name] for name in CAMPAIGN)


class Waiting:
    """What is left of what was planned, for this build, in batches; and more, without --seeds."""

    def __init__(self, store, options, build):
        self.store, self.options, self.build = store, options, build
        self.tried, self.broken = set(), set()

    def untried(self):
        units = (unit for unit in self.store.waiting(self.build) if tuple(unit.values()) not in self.tried)
        return list(itertools.islice(units, self.options.jobs * BATCH_PER_JOB))

    def batch(self):
        """None: the campaign is over."""
        units = self.untried()
        if not units and not self.options.seeds:
            plan(self.store, self.options, self.build, self.broken)
            units = self.untried()
        self.tried.update(tuple(unit.values()) for unit in units)
        return units

    def judge(self, units, ran):
        """What of a batch could be run: of what nothing could, no more is planned."""
        self.broken |= {campaign_of(unit) for unit in units} - {campaign_of(unit) for unit in ran}


def run_campaign(store, options, program, build):
    engine = ENGINES[options.engine](jobs=options.jobs, hosts=options.hosts, scratch=options.scratch)
    plan(store, options, build)
    with tempfile.TemporaryDirectory(prefix="gemel-campaign-", dir=options.scratch) as folder:
        run_units(store, options, program, build, engine, corpus.Carrier(store, program, folder))
    for each in store.corpora():
        if each["build"] == build:
            corpus.measure(store, program, each, each["runs"])


def run_units(store, options, program, build, engine, carrier):
    end = time.monotonic() + options.budget if options.budget else None
    waiting = Waiting(store, options, build)
    while not end or time.monotonic() < end:
        units, told = waiting.batch(), []
        if not units:
            return
        with contextlib.closing(engine.run(program, [carrier.loaded(unit) for unit in units])) as verdicts:
            for verdict in verdicts:
                store.record(decoded(verdict))
                show(store, build)
                told.append(verdict)
                if end and time.monotonic() >= end:
                    return
        waiting.judge(units, [verdict for verdict in told if not verdict["error"]])
        firsts = {(campaign_of(verdict), verdict["first"]) for verdict in told}
        for unit in units:
            if (campaign_of(unit), unit["first"]) not in firsts:
                store.record(dict(unit, failures=[], kept=[], error=f"no verdict came back from the engine {options.engine}"))


def decoded(verdict):
    """With bytes for what came home as text."""
    for failure in verdict["failures"]:
        failure["journal"] = base64.b64decode(failure["journal"]) if failure["journal"] else None
    if "l1s" in verdict:
        verdict["l1s"] = base64.b64decode(verdict["l1s"])
    for kept in verdict["kept"]:
        kept.update(journal=base64.b64decode(kept["journal"]), points=base64.b64decode(kept["points"]))
    return verdict


def show(store, build):
    if sys.stderr.isatty():
        total = store.totals(build)
        kinds = len(store.signatures(build))
        print(f"\r\033[K{int(total['runs'])} runs, {kinds} kinds of failure", end="", file=sys.stderr, flush=True)


def shrink_all(store, program, build):
    """A small journal for each kind of failure; it has to be of that kind still."""
    for failure in store.to_shrink(build):
        with tempfile.TemporaryDirectory(prefix="gemel-shrink-") as folder:
            path = f"{folder}/fail.gemel"
            with open(path, "wb") as file:
                file.write(failure["journal"])
            try:
                done = subprocess.run(
                    [program, "shrink", path, "--time", SHRINK_TIME], capture_output=True, text=True, errors="replace",
                    timeout=SHRINK_SECONDS_MAX,
                )
            except subprocess.TimeoutExpired:
                continue
            found = re.search(r"shrunk (\d+) decisions? -> (\d+)", done.stdout)
            told = FAILURE.search(done.stdout)
            if found and told and told[9] == failure["signature"]:
                with open(path, "rb") as file:
                    store.shrunk(failure, int(found[2]), file.read())


def journals(store, build, folder):
    """The smallest journal of each kind, as files; what they are called, by signature."""
    names = {}
    rows = store.base.execute(
        "SELECT signature, l1, seed, strategy, coalesce(shrunk, journal) bytes, min(coalesce(decisions, 1 << 30)) FROM failure"
        " WHERE build = ? AND journal IS NOT NULL GROUP BY signature", (build,)
    )
    for row in rows:
        called = row["l1"][:8]
        if not row["l1"].strip("0"):  # of a process that ended without a word
            called = f"{'run' if is_corpus(row['strategy']) else 'seed'}{row['seed']}"
        name = os.path.join(folder, f"fail-{called}.gemel")
        names[row["signature"]] = name if name not in names.values() else os.path.join(folder, f"fail-{called}-{len(names)}.gemel")
        with open(names[row["signature"]], "wb") as file:
            file.write(row["bytes"])
    return names


def coverage_of(program, options):
    """(times, kind, site, where) of the registered sites, by a few seeds of each workload."""
    found = {}
    for workload in options.workload or WORKLOADS:
        done = subprocess.run([program, "sites", "--seeds", "1..5", "--workload", workload], capture_output=True, text=True)
        for times, kind, site, where in re.findall(r"^ *(\d+) +(\S+) +(\S+) +(\S+)$", done.stdout, re.M):
            before = found.get((kind, site, where), 0)
            found[(kind, site, where)] = before + int(times)
    return sorted((times, *key) for key, times in found.items())


def arguments():
    parser = argparse.ArgumentParser(prog="gemel explore", description="Many seeds of many workloads, as a resumable campaign.",
                                     allow_abbrev=False)
    parser.add_argument("--budget", type=seconds_of, help="stop after this long: 60s, 10m, 1h (default 60s without --seeds)")
    parser.add_argument("--seeds", type=range_of, help="A..B: exactly these")
    parser.add_argument("--workload", action="append", help=f"may be given often (default {', '.join(WORKLOADS)})")
    parser.add_argument("--strategy", action="append", choices=STRATEGIES, help="may be given often (default portfolio)")
    parser.add_argument("--campaign-seed", type=campaign_seed_of, default=0, metavar="N",
                        help="of --strategy corpus: other runs (default 0)")
    parser.add_argument("--cpus", action="append", type=int, choices=range(1, 9), metavar="N",
                        help="virtual processors; may be given often (default 1; without --seeds 1 and 2)")
    parser.add_argument("--preempt", action="store_true", help="threads are stopped inside their code, too; a build by clang-16")
    parser.add_argument("--faults", default="default", help="as gemel sim's")
    parser.add_argument("--unit", type=count_of, default=20, help="seeds in one unit of work (default 20)")
    parser.add_argument("--engine", choices=ENGINES, default="local", help="who runs the units")
    parser.add_argument("--hosts", help="parallel: a file of ssh logins, as its --sshloginfile")
    parser.add_argument("--scratch", help="slurm: a folder that the nodes share")
    parser.add_argument("--jobs", type=count_of, default=os.cpu_count() or 1, help="units at a time")
    parser.add_argument("--store", default="campaign.sqlite", help="the campaign's file (default campaign.sqlite); goes on where it was")
    parser.add_argument("--merge", action="append", default=[], metavar="FILE", help="first take in another campaign's file")
    parser.add_argument("--report", help="write an HTML page")
    parser.add_argument("--journals", default=".", help="folder for one journal of each kind of failure")
    parser.add_argument("--no-shrink", action="store_true", help="leave the journals as they were found")
    parser.add_argument("--no-run", action="store_true", help="only merge, shrink and report")
    options = parser.parse_args()
    if options.seeds and options.seeds[0] != 1 and "corpus" in (options.strategy or ()):
        parser.error("--strategy corpus: its runs are made from those before, so say --seeds 1..N")
    if not options.budget and not options.seeds:
        options.budget = 60.0
    options.cpus = options.cpus or ([1] if options.seeds else [1, 2])
    return options


def counted(number, what):
    return f"{number} {what}" + ("" if number == 1 else "s")


def tell(store, build, names):
    total = store.totals(build)
    for row in store.signatures(build):
        number = "run" if is_corpus(row["strategy"]) else "seed"
        print(f"{row['kind']} {row['what']}: {row['times']} times, first {number} {row['seed']} of {row['workload']}")
        print(f"  again:   {report.command_of(row)}")
        if row["signature"] in names:
            small = "" if row["decisions"] is None else f"   ({counted(row['decisions'], 'decision')})"
            print(f"  replay:  gemel replay {shlex.quote(names[row['signature']])} --gdb{small}")
    for (workload, strategy), points in store.growth(build).items():
        runs, covered, kept = points[-1]
        print(f"{strategy} of {workload}: {counted(kept, 'journal')} kept, {covered} points covered by {counted(runs, 'run')}")
    for row in store.errors(build):
        print(f"NOT RUN {row['workload']} {row['first']}..{row['last']}: {row['error']}")
    for other in store.builds():
        if other != build:
            before, kinds = store.totals(other), len(store.signatures(other))
            print(f"another build, {other}: {int(before['runs'])} runs, {int(before['failed'])} failed, {kinds} kinds")
    print(
        f"{int(total['runs'])} runs in {total['done']} of {total['units']} units: {int(total['failed'])} failed,"
        f" {int(total['different'])} different, {int(total['inconclusive'])} inconclusive, {len(store.signatures(build))} kinds"
    )
    return 3 if total["different"] else 2 if total["failed"] + total["inconclusive"] + total["errors"] else 0


def build_to_tell(store, build):
    """The one that is here, or else, when it has run nothing, the newest in the file."""
    known = store.builds()
    if build in known or not known:
        return build
    print(f"what is told is of build {known[-1]}, not of the build that is here: it has run nothing", file=sys.stderr)
    return known[-1]


def main():
    options = arguments()
    end_in_order(signal.SIGTERM, signal.SIGHUP)
    preset = os.environ.get("GEMEL_PRESET", "hosted-preempt" if options.preempt else "hosted")
    program = os.path.join(TOP, "build", preset, "frontends/cli/gemel")
    try:
        store, build = Store(options.store), build_of(program)
        for other in options.merge:
            if not os.path.exists(other):
                raise StoreError(f"{other}: there is no such file")
            store.merge(other)
        if not options.no_run:
            run_campaign(store, options, program, build)
    except (StoreError, EngineError, corpus.CorpusError, OSError) as error:
        print(f"gemel: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("gemel: stopped; the same command goes on from here", file=sys.stderr)
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr)
    if not options.no_shrink:
        shrink_all(store, program, build)
    build = build_to_tell(store, build)
    names = journals(store, build, options.journals)
    if options.report:
        with open(options.report, "w", encoding="utf-8") as file:
            file.write(report.page(store, build, coverage_of(program, options)))
    sys.exit(tell(store, build, names))


if __name__ == "__main__":
    main()
