"""Who runs the units of a campaign. Each engine takes a batch and yields the verdicts as they come; what it does not
yield stays waiting in the store and is run by the next start."""
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile

from processes import ends_with_starter

HERE = os.path.dirname(os.path.abspath(__file__))
UNIT = os.path.join(HERE, "unit.py")
ARRAY_ELEMENTS_USUAL = 1001  # Slurm's MaxArraySize where nobody has changed it


class EngineError(Exception):
    """Why an engine cannot work here, and what to install or start."""


def verdict_of(line):
    try:
        verdict = json.loads(line)
    except ValueError:
        return None
    return verdict if isinstance(verdict, dict) and "failures" in verdict else None


def words_of(program, unit):
    return [sys.executable, UNIT, program, json.dumps(unit)]


def start(words, **streams):
    """A process that ends when we do."""
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True, preexec_fn=ends_with_starter(signal.SIGTERM), **streams)


class Local:
    """Processes of this machine, `jobs` at a time."""

    def __init__(self, jobs, **_):
        self.jobs = jobs

    def run(self, program, units):
        waiting, running = list(units), []
        try:
            while waiting or running:
                while waiting and len(running) < self.jobs:
                    running.append(start(words_of(program, waiting.pop(0))))
                verdict = verdict_of(running[0].communicate()[0])
                running.pop(0)
                if verdict:
                    yield verdict
        finally:
            for process in running:
                process.terminate()
            for process in running:
                process.communicate()


class Parallel:
    """GNU parallel: this machine, or those of --hosts over ssh (the same checkout at the same path on each)."""

    def __init__(self, jobs, hosts=None, **_):
        if not shutil.which("parallel"):
            raise EngineError("GNU parallel is not installed here: apt-get install parallel")
        self.jobs, self.hosts = jobs, hosts

    def run(self, program, units):
        words = ["parallel", "--will-cite", "--jobs", str(self.jobs), "--line-buffer"]
        if self.hosts:
            words += ["--sshloginfile", self.hosts]
            for path in sorted({unit["corpus"] for unit in units if "corpus" in unit}):
                words += ["--basefile", path]  # at the same path there
        commands = "\n".join(shlex.join(words_of(program, unit)) for unit in units) + "\n"
        # The commands are quoted for sh; otherwise parallel guesses a shell, from $SHELL and from what started it.
        environment = {**os.environ, "PARALLEL_SHELL": "/bin/sh"}
        with start(words, stdin=subprocess.PIPE, env=environment) as process:
            try:
                process.stdin.write(commands)
                process.stdin.close()
                for line in process.stdout:
                    verdict = verdict_of(line)
                    if verdict:
                        yield verdict
            finally:
                process.terminate()  # and with it what it runs


def array_elements_max():
    """How many elements one array job may have here."""
    told = subprocess.run(["scontrol", "show", "config"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"^MaxArraySize\s*=\s*(\d+)", told, re.M)
    return max(int(found[1]), 1) if found else ARRAY_ELEMENTS_USUAL


class Slurm:
    """Slurm array jobs, one element a unit; the checkout and --scratch lie on storage that the nodes share."""

    def __init__(self, jobs, scratch=None, **_):
        if not shutil.which("sbatch"):
            raise EngineError("Slurm is not installed here: apt-get install slurm-wlm, and have slurmctld and slurmd running")
        self.jobs, self.scratch = jobs, scratch

    def run(self, program, units):
        most = array_elements_max()
        for first in range(0, len(units), most):
            yield from self.run_array(program, units[first : first + most])

    def run_array(self, program, units):
        with tempfile.TemporaryDirectory(prefix="gemel-slurm-", dir=self.scratch) as folder:
            with open(f"{folder}/job.sh", "w", encoding="utf-8") as job:
                job.write(f"#!/bin/sh\nexec sh {shlex.quote(folder)}/unit-$SLURM_ARRAY_TASK_ID.sh\n")
            for number, unit in enumerate(units):
                with open(f"{folder}/unit-{number}.sh", "w", encoding="utf-8") as script:
                    script.write(f"exec {shlex.join(words_of(program, unit))}\n")
            name = os.path.basename(folder)
            words = ["sbatch", "--wait", "--quiet", f"--job-name={name}", f"--array=0-{len(units) - 1}%{self.jobs}"]
            words += [f"--output={folder}/out-%a", f"{folder}/job.sh"]
            try:
                done = subprocess.run(words, capture_output=True, text=True, check=False)
            except BaseException:  # the campaign is stopped
                subprocess.run(["scancel", "--quiet", f"--name={name}"], check=False)
                raise
            found = 0
            for number in range(len(units)):
                try:
                    with open(f"{folder}/out-{number}", encoding="utf-8") as out:
                        verdict = verdict_of(out.read())
                except OSError:
                    continue
                if verdict:
                    found += 1
                    yield verdict
            if not found:
                raise EngineError(f"sbatch ran nothing: {done.stderr.strip() or 'see sinfo'}")


ENGINES = {"local": Local, "parallel": Parallel, "slurm": Slurm}
