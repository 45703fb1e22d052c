#!/usr/bin/env python3
"""gemel bisect: the commit that brought a failure, found by building and running the commits between. `git bisect`
does the search, in a clone of its own; a commit that does not build is passed over."""
import argparse
import os
import re
import subprocess
import sys
import tempfile

from unit import FAILURE

TOP = os.environ.get("GEMEL_ROOT") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RUN_SECONDS_MAX = 1800
GOOD, BAD, SKIP = 0, 1, 125  # what `git bisect run` understands
FOUND, NOT_FOUND, USAGE = 0, 2, 1
TOLD = re.compile(r"^(FAIL|LEAK|INCONCLUSIVE) ", re.M)
PROGRAM = "build/hosted/frontends/cli/gemel"
BUILD = '. scripts/common.sh; root=$PWD; build hosted gemel'


class NoKind(Exception):
    """The commit's program is older than the line that tells of which kind a failure is."""


def signatures(tree, words):
    """What fails, by signature, when the tree's program is given these words."""
    with tempfile.TemporaryDirectory(prefix="gemel-bisect-") as folder:
        journals = ["--journals", folder] if words[0] == "sim" else []
        done = subprocess.run(
            [f"{tree}/{PROGRAM}", *words, *journals], capture_output=True, text=True, errors="replace",
            timeout=RUN_SECONDS_MAX, stdin=subprocess.DEVNULL, env=dict(os.environ, GEMEL_ROOT=tree),
        )
    found = {signature for *_, signature in FAILURE.findall(done.stdout)}
    if not found and TOLD.search(done.stdout):
        raise NoKind
    return found


def build(tree):
    done = subprocess.run(["bash", "-c", BUILD], cwd=tree, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    return done.returncode == 0


def step(signature, words):
    """One commit, checked out in this folder."""
    if not build(os.getcwd()):
        return SKIP
    try:
        return BAD if signature in signatures(os.getcwd(), words) else GOOD
    except (subprocess.TimeoutExpired, NoKind):
        return SKIP


def git(tree, *words):
    return subprocess.run(["git", "-C", tree, *words], capture_output=True, text=True, stdin=subprocess.DEVNULL)


def commit_of(revision):
    found = git(TOP, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    if found.returncode != 0:
        raise SystemExit(f"gemel: {revision} is no commit of this repository")
    return found.stdout.strip()


def failures_at(tree, commit, words):
    git(tree, "checkout", "--quiet", commit)
    if not build(tree):
        raise SystemExit(f"gemel: {commit[:12]} does not build: name another commit")
    try:
        return signatures(tree, words)
    except NoKind:
        raise SystemExit(f"gemel: {commit[:12]} fails and tells no kind of failure: name another commit") from None


def search(good, bad, words):
    with tempfile.TemporaryDirectory(prefix="gemel-bisect-") as folder:
        tree = f"{folder}/tree"
        subprocess.run(["git", "clone", "--quiet", "--shared", TOP, tree], check=True)
        found = sorted(failures_at(tree, bad, words))
        if not found:
            print(f"nothing fails at {bad[:12]}: gemel {' '.join(words)}")
            return NOT_FOUND
        found = [each for each in found if each not in failures_at(tree, good, words)]
        if not found:
            print(f"{good[:12]} fails in the same way: name an older commit with --good")
            return NOT_FOUND
        print(f"looking for: {found[0]}", flush=True)
        git(tree, "bisect", "start", bad, good)
        me = [sys.executable, os.path.abspath(__file__), "--step", found[0], "--", *words]
        done = git(tree, "bisect", "run", *me)
        first = git(tree, "rev-parse", "--verify", "--quiet", "refs/bisect/bad").stdout.strip()
        if "is the first bad commit" not in done.stdout:
            print("no single commit: " + (done.stdout + done.stderr).strip().splitlines()[-1])
            return NOT_FOUND
        print(git(tree, "show", "--no-patch", "--format=first bad commit: %h %s (%an, %as)", first).stdout.strip())
        return FOUND


def arguments(given):
    parser = argparse.ArgumentParser(
        prog="gemel bisect", description="The commit that brought a failure.",
        usage="gemel bisect --good REV [--bad REV] (FAIL.gemel | -- OPTIONS-OF-SIM)",
    )
    parser.add_argument("--good", help="a commit that did not fail")
    parser.add_argument("--bad", default="HEAD", help="one that does (default HEAD)")
    parser.add_argument("--step", help=argparse.SUPPRESS)
    parser.add_argument("words", nargs="*", help="a journal, or after -- what gemel sim is given: seeds, workload, faults")
    options = parser.parse_args(given)
    if not options.words or not (options.good or options.step):
        parser.print_usage(sys.stderr)
        raise SystemExit(USAGE)
    if options.words[0] not in ("sim", "replay"):
        journal = len(options.words) == 1 and os.path.isfile(options.words[0])
        options.words = ["replay", os.path.abspath(options.words[0])] if journal else ["sim", *options.words]
    return options


def main():
    options = arguments(sys.argv[1:])
    if options.step:
        sys.exit(step(options.step, options.words))
    sys.exit(search(commit_of(options.good), commit_of(options.bad), options.words))


if __name__ == "__main__":
    main()
