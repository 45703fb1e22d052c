#!/usr/bin/env python3
"""gemel explore: many seeds of many workloads, for a time or a range, resumable; see docs/exploring.md."""
import argparse
import base64
import hashlib
import os
import re
import subprocess
import sys
import tempfile
import time

import corpus
import report
from engines import ENGINES, EngineError
from store import Store, StoreError, is_corpus, of_corpus, with_cpus

TOP = os.environ.get("GEMEL_ROOT") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WORKLOADS = ("boot", "posix-mix", "server-kill")
STRATEGIES = ("run-to-block", "random-walk", "preempt", "pct", "delay", "pos", "urw", "portfolio", "corpus")
UNITS = {"s": 1, "m": 60, "h": 3600}
BATCH_PER_JOB = 4  # units that an engine is given at once
SHRINK_SECONDS_MAX = 120


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
                yield {"build": build, "workload": workload, "strategy": with_cpus(strategy, cpus), "faults": options.faults}


def plan(store, options, build):
    """The range that was asked for, or the next batch of unseen seeds."""
    units, step = [], options.unit
    generation = step * corpus.GENERATION_UNITS
    for each in configurations(options, build):
        kept = is_corpus(each["strategy"])
        if options.seeds:
            first, end = options.seeds
        else:
            first = store.next_seed(**each)
            end = first + (generation if kept else step * options.jobs * BATCH_PER_JOB) - 1
        for begin in range(first, end + 1, step):
            base = begin - (begin - first) % generation if kept else 0
            units.append(dict(each, first=begin, last=min(begin + step - 1, end), base=base))
    store.plan(units)


def waiting_units(store, options, build):
    """What is left of what was planned, for this build. None: the campaign is over."""
    units = [unit for unit in store.waiting(options.jobs * BATCH_PER_JOB * 64) if unit["build"] == build]
    if not units and not options.seeds:
        plan(store, options, build)
        units = [unit for unit in store.waiting(options.jobs * BATCH_PER_JOB * 64) if unit["build"] == build]
    return units[: options.jobs * BATCH_PER_JOB]


def run_campaign(store, options, program):
    build, engine = build_of(program), ENGINES[options.engine](jobs=options.jobs, hosts=options.hosts, scratch=options.scratch)
    plan(store, options, build)
    with tempfile.TemporaryDirectory(prefix="gemel-campaign-", dir=options.scratch) as folder:
        run_units(store, options, program, build, engine, corpus.Carrier(store, program, folder))
    for each in store.corpora():
        if each["build"] == build:
            corpus.measure(store, program, each, each["runs"])


def run_units(store, options, program, build, engine, carrier):
    end = time.monotonic() + options.budget if options.budget else None
    tried = set()
    while not end or time.monotonic() < end:
        units = [unit for unit in waiting_units(store, options, build) if tuple(unit.values()) not in tried]
        if not units:
            return
        tried.update(tuple(unit.values()) for unit in units)
        for verdict in engine.run(program, [carrier.loaded(unit) for unit in units]):
            for failure in verdict["failures"]:
                failure["journal"] = base64.b64decode(failure["journal"]) if failure["journal"] else None
            if "l1s" in verdict:
                verdict["l1s"] = base64.b64decode(verdict["l1s"])
            for kept in verdict["kept"]:
                kept.update(journal=base64.b64decode(kept["journal"]), points=base64.b64decode(kept["points"]))
            store.record(verdict)
            show(store)
            if end and time.monotonic() >= end:
                return


def show(store):
    if sys.stderr.isatty():
        total = store.totals()
        kinds = len(store.signatures())
        print(f"\r\033[K{int(total['runs'])} runs, {kinds} kinds of failure", end="", file=sys.stderr, flush=True)


def shrink_all(store, program):
    """A small journal for each kind of failure."""
    for failure in store.to_shrink():
        with tempfile.TemporaryDirectory(prefix="gemel-shrink-") as folder:
            path = f"{folder}/fail.gemel"
            with open(path, "wb") as file:
                file.write(failure["journal"])
            try:
                done = subprocess.run([program, "shrink", path], capture_output=True, text=True, timeout=SHRINK_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                continue
            found = re.search(r"shrunk (\d+) decisions? -> (\d+)", done.stdout)
            if found:
                with open(path, "rb") as file:
                    store.shrunk(failure, int(found[2]), file.read())


def journals(store, folder):
    """The smallest journal of each kind, as files; what they are called, by signature."""
    names = {}
    rows = store.base.execute(
        "SELECT signature, l1, coalesce(shrunk, journal) bytes, min(coalesce(decisions, 1 << 30)) FROM failure"
        " WHERE journal IS NOT NULL GROUP BY signature"
    )
    for row in rows:
        names[row["signature"]] = os.path.join(folder, f"fail-{row['l1'][:8]}.gemel")
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
    parser = argparse.ArgumentParser(prog="gemel explore", description="Many seeds of many workloads, as a resumable campaign.")
    parser.add_argument("--budget", type=seconds_of, help="stop after this long: 60s, 10m, 1h (default 60s without --seeds)")
    parser.add_argument("--seeds", type=range_of, help="A..B: exactly these")
    parser.add_argument("--workload", action="append", help=f"may be given often (default {', '.join(WORKLOADS)})")
    parser.add_argument("--strategy", action="append", choices=STRATEGIES, help="may be given often (default portfolio)")
    parser.add_argument("--campaign-seed", type=campaign_seed_of, default=0, metavar="N",
                        help="of --strategy corpus: other runs (default 0)")
    parser.add_argument("--cpus", action="append", type=int, choices=range(1, 9), metavar="N",
                        help="virtual processors; may be given often (default 1; without --seeds 1 and 2)")
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


def tell(store, names):
    total = store.totals()
    for row in store.signatures():
        number = "run" if is_corpus(row["strategy"]) else "seed"
        print(f"{row['kind']} {row['what']}: {row['times']} times, first {number} {row['seed']} of {row['workload']}")
        print(f"  again:   {report.command_of(row)}")
        if row["signature"] in names:
            small = "" if row["decisions"] is None else f"   ({counted(row['decisions'], 'decision')})"
            print(f"  replay:  gemel replay {names[row['signature']]} --gdb{small}")
    for (workload, strategy), points in store.growth().items():
        runs, covered, kept = points[-1]
        print(f"{strategy} of {workload}: {counted(kept, 'journal')} kept, {covered} points covered by {counted(runs, 'run')}")
    for row in store.errors():
        print(f"NOT RUN {row['workload']} {row['first']}..{row['last']}: {row['error']}")
    print(
        f"{int(total['runs'])} runs in {total['done']} of {total['units']} units: {int(total['failed'])} failed,"
        f" {int(total['different'])} different, {int(total['inconclusive'])} inconclusive, {len(store.signatures())} kinds"
    )
    return 3 if total["different"] else 2 if total["failed"] + total["inconclusive"] + total["errors"] else 0


def main():
    options = arguments()
    program = os.path.join(TOP, "build", os.environ.get("GEMEL_PRESET", "hosted"), "frontends/cli/gemel")
    try:
        store = Store(options.store)
        for other in options.merge:
            if not os.path.exists(other):
                raise StoreError(f"{other}: there is no such file")
            store.merge(other)
        if not options.no_run:
            run_campaign(store, options, program)
    except (StoreError, EngineError, corpus.CorpusError, OSError) as error:
        print(f"gemel: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("gemel: stopped; the same command goes on from here", file=sys.stderr)
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr)
    if not options.no_shrink:
        shrink_all(store, program)
    names = journals(store, options.journals)
    if options.report:
        with open(options.report, "w", encoding="utf-8") as file:
            file.write(report.page(store, coverage_of(program, options)))
    sys.exit(tell(store, names))


if __name__ == "__main__":
    main()
