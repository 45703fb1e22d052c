"""Who runs the units of a campaign. Each engine takes a batch and yields the verdicts as they come; what it does not
yield stays waiting in the store and is run by the next start."""
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
UNIT = os.path.join(HERE, "unit.py")


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


class Local:
    """Processes of this machine, `jobs` at a time."""

    def __init__(self, jobs, **_):
        self.jobs = jobs

    def run(self, program, units):
        waiting, running = list(units), []
        try:
            while waiting or running:
                while waiting and len(running) < self.jobs:
                    running.append(subprocess.Popen(words_of(program, waiting.pop(0)), stdout=subprocess.PIPE, text=True))
                first = running.pop(0)
                verdict = verdict_of(first.communicate()[0])
                if verdict:
                    yield verdict
        finally:
            for process in running:
                process.terminate()
                process.wait()


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
        with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            process.stdin.write(commands)
            process.stdin.close()
            for line in process.stdout:
                verdict = verdict_of(line)
                if verdict:
                    yield verdict


class Slurm:
    """A Slurm array job, one element a unit; the checkout and --scratch lie on storage that the nodes share."""

    def __init__(self, jobs, scratch=None, **_):
        if not shutil.which("sbatch"):
            raise EngineError("Slurm is not installed here: apt-get install slurm-wlm, and have slurmctld and slurmd running")
        self.jobs, self.scratch = jobs, scratch

    def run(self, program, units):
        with tempfile.TemporaryDirectory(prefix="gemel-slurm-", dir=self.scratch) as folder:
            with open(f"{folder}/job.sh", "w", encoding="utf-8") as job:
                job.write(f"#!/bin/sh\nexec sh {shlex.quote(folder)}/unit-$SLURM_ARRAY_TASK_ID.sh\n")
            for number, unit in enumerate(units):
                with open(f"{folder}/unit-{number}.sh", "w", encoding="utf-8") as script:
                    script.write(f"exec {shlex.join(words_of(program, unit))}\n")
            words = ["sbatch", "--wait", "--quiet", f"--array=0-{len(units) - 1}%{self.jobs}", f"--output={folder}/out-%a"]
            done = subprocess.run(words + [f"{folder}/job.sh"], capture_output=True, text=True, check=False)
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
