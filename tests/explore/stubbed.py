#!/usr/bin/env python3
"""Campaigns of a program that is a shell script: what `gemel explore` makes of what `gemel sim` says, of its errors, of
another build of it, and of hosts and clusters that are not there. An argument names tests by a part of their names."""
import os
import shutil

from campaigns import FOUND, OK, Skipped, expect, explore, fresh, rows, run_tests

# Words as unit.py gives them: sim --seeds A..B --each --journals FOLDER --workload W ...
PROLOGUE = """#!/bin/sh
first=${3%..*} last=${3#*..} journals=$6 workload=$8
fail() { # WHAT SEED: a failure with a journal
    printf 'FAIL workload  "%s"  t=+0.1s  event 5  task -  seed 0x%x  L1 %032x\\n' "$1" "$2" "$2"
    echo "  kind:    workload: $(echo "$1" | sed 's/[0-9][0-9]*/N/g')"
    journal=$journals/fail-$2.gemel
    printf '  again:   gemel sim\\n  replay:  gemel replay %s --gdb\\n' "$journal"
    [ "$journals" = "" ] || echo "$1" >"$journal"
}
total() { # FAILED
    echo "$((last - first + 1)) runs of $workload: $1 failed, 0 different, 0 inconclusive; 1.0 s, fast; 10 events, 10 virtual ms"
}
"""


def write_script(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as script:
        script.write(text)
    os.chmod(path, 0o755)


class Tree:
    """A checkout whose program is a script, with a campaign in it."""

    def __init__(self, folder):
        self.folder = folder

    def build(self, body, preset="hosted"):
        write_script(f"{self.folder}/build/{preset}/frontends/cli/gemel", PROLOGUE + body)

    def explore(self, *words, status=OK, path=None, shell="/bin/sh"):
        environment = {"GEMEL_ROOT": self.folder, "SHELL": shell}
        if path:
            environment["PATH"] = f"{path}:{os.environ['PATH']}"
        return explore(self.folder, *words, environment=environment, status=status)

    def runs(self):
        return rows(self.folder, "SELECT total(runs) FROM unit")[0][0]




# Goal: a campaign's verdict is on the build that runs; what another build showed is told apart, and each is shrunk anew.
# Method: three builds with one file: the first and the last fail alike, the one between does not.
def test_verdicts_are_of_the_build():
    failing = """
case $1 in
shrink) journals=; fail "lost 1" 3; echo "shrunk 5 decisions -> 1 in 2 runs"; echo "shrunk by {0}" >$2; exit ;;
esac
fail "lost {0}" 3
total 1
"""
    words = ["--workload", "boot", "--seeds", "1..4", "--unit", "4"]
    with fresh() as folder:
        tree = Tree(folder)
        tree.build(failing.format(7))
        text = tree.explore(*words, status=FOUND)
        expect("FAIL workload: lost 7: 1 times" in text and "1 kinds" in text and "another build" not in text, text)
        tree.build("total 0\n")
        text = tree.explore(*words, "--report", f"{folder}/report.html")
        expect("4 runs in 1 of 1 units: 0 failed" in text and "0 kinds" in text, text)
        expect("another build" in text and "1 failed" in text, f"what the other build showed is not told: {text}")
        with open(f"{folder}/report.html", encoding="utf-8") as page:
            page = page.read()
        expect("No failure." in page and "Other builds" in page and "lost 7" in page, page)
        tree.build(failing.format(8))
        text = tree.explore(*words, status=FOUND)
        expect("FAIL workload: lost 8: 1 times" in text and "(1 decision)" in text, text)
        found = [row[0].strip() for row in rows(folder, "SELECT shrunk FROM failure ORDER BY rowid")]
        expect(found == [b"shrunk by 7", b"shrunk by 8"], f"each build's journal, shrunk by it: {found}")
        with open(f"{folder}/fail-00000000.gemel", encoding="utf-8") as journal:
            expect(journal.read() == "shrunk by 8\n", "the journal is another build's")


# Goal: only merging and reporting tells of the build that is there, or else of the newest that the file knows.
def test_no_run_tells_of_a_build():
    words = ["--workload", "boot", "--seeds", "1..4", "--unit", "4", "--no-shrink"]
    with fresh() as folder:
        tree = Tree(folder)
        tree.build('fail "lost 7" 3\ntotal 1\n')
        tree.explore(*words, status=FOUND)
        tree.build("total 0 # another\n")
        text = tree.explore("--no-run", "--no-shrink", status=FOUND)
        expect("lost 7" in text and "not of the build that is here" in text, text)


# Goal: a journal that fails in another way after shrinking is not taken for the failure.
def test_shrunk_to_another_kind():
    with fresh() as folder:
        tree = Tree(folder)
        tree.build("""
case $1 in
shrink) journals=; fail "something else" 3; echo "shrunk 5 decisions -> 0 in 2 runs"; echo other >$2; exit ;;
esac
fail "lost 7" 3
total 1
""")
        text = tree.explore("--workload", "boot", "--seeds", "1..4", "--unit", "4", status=FOUND)
        expect("decision" not in text and rows(folder, "SELECT shrunk FROM failure") == [(None,)], text)
        with open(f"{folder}/fail-00000000.gemel", encoding="utf-8") as journal:
            expect(journal.read() == "lost 7\n", "the journal is another failure's")


# Goal: units that cannot be run are told, and all others are run.
# Method: the first half of the seeds have no verdict, which is more than an engine is given at once.
def test_errors_do_not_end_a_campaign():
    with fresh() as folder:
        tree = Tree(folder)
        tree.build('[ "$first" -gt 20 ] || { echo "no room" >&2; exit 1; }\ntotal 0\n')
        text = tree.explore("--workload", "boot", "--seeds", "1..40", "--unit", "1", status=FOUND)
        expect(tree.runs() == 20 and text.count("NOT RUN boot") == 20 and "no room" in text, text)


# Goal: without --seeds, too: what works goes on until the budget is spent; when nothing works it ends.
def test_errors_do_not_end_a_budget():
    with fresh() as folder:
        tree = Tree(folder)
        tree.build('[ "$workload" = good ] && [ "$first" -le 12 ] || { echo "no room" >&2; exit 1; }\ntotal 0\n')
        text = tree.explore("--workload", "bad", "--workload", "good", "--cpus", "1", "--unit", "1", "--budget", "1h", status=FOUND)
        expect(tree.runs() == 12 and text.count("NOT RUN bad") == 8 and text.count("NOT RUN good") == 12, text)
    with fresh() as folder:
        tree = Tree(folder)
        tree.build('echo "no room" >&2; exit 1\n')
        text = tree.explore("--workload", "bad", "--cpus", "1", "--unit", "1", "--budget", "1h", status=FOUND)
        expect(text.count("NOT RUN bad") == 8, f"one batch shows it: {text}")


SBATCH = """#!/bin/sh
for word; do
    case $word in
    --array=*) elements=${word#--array=0-} last=${elements%%%*} ;;
    --output=*) out=${word#--output=} ;;
    esac
    job=$word # the last one
done
[ "$last" -lt 3 ] || { echo "sbatch: error: Invalid job array specification" >&2; exit 1; }
echo "$last" >>"$0.asked"
for number in $(seq 0 "$last"); do
    SLURM_ARRAY_TASK_ID=$number sh "$job" >"${out%%%a}$number"
done
"""


# Goal: however many units there are, no array is larger than the cluster takes.
# Method: an sbatch that takes three elements, and runs them here.
def test_slurm_arrays_are_bounded():
    with fresh() as folder:
        tree = Tree(folder)
        tree.build("total 0\n")
        write_script(f"{folder}/bin/sbatch", SBATCH)
        write_script(f"{folder}/bin/scontrol", "#!/bin/sh\necho 'MaxArraySize            = 3'\n")
        words = ["--workload", "boot", "--seeds", "1..8", "--unit", "1", "--engine", "slurm"]
        tree.explore(*words, path=f"{folder}/bin")
        with open(f"{folder}/bin/sbatch.asked", encoding="utf-8") as asked:
            expect(asked.read().split() == ["2", "2", "1"], "eight units are three arrays")
        expect(tree.runs() == 8, f"{tree.runs()} runs")


SSH = """#!/bin/sh
echo "$1" >>"$0.asked"
shift
[ "$1" != -- ] || shift
exec sh -c "$*"
"""


# Goal: --hosts runs every unit on a host of the file, by its command line alone, and carries the verdicts home, whatever
# shell the person has.
# Method: an ssh that runs here what it is given, and notes for which host.
def test_hosts():
    if not shutil.which("parallel"):
        raise Skipped("GNU parallel is not installed")
    for shell in ("/bin/bash", "/bin/csh", ""):
        with fresh() as folder:
            run_on_hosts(folder, shell)


def run_on_hosts(folder, shell):
    tree = Tree(folder)
    tree.build('[ "$first" != 5 ] || fail "lost 7" 5\ntotal $((first == 5))\n')
    write_script(f"{folder}/bin/ssh", SSH)
    with open(f"{folder}/hosts", "w", encoding="utf-8") as hosts:
        hosts.write("one.example\ntwo.example\n")
    words = ["--workload", "echo a   b", "--seeds", "1..8", "--unit", "1", "--engine", "parallel", "--hosts", f"{folder}/hosts"]
    text = tree.explore(*words, "--no-shrink", path=f"{folder}/bin", shell=shell, status=FOUND)
    expect("8 runs in 8 of 8 units: 1 failed" in text and "first seed 5 of echo a   b" in text, text)
    with open(f"{folder}/bin/ssh.asked", encoding="utf-8") as asked:
        hosts = asked.read().split()
    expect({"one.example", "two.example"} == set(hosts) and len(hosts) >= 8, f"both hosts: {hosts}")


# Goal: what a host did not answer is no success.
def test_hosts_that_do_not_answer():
    if not shutil.which("parallel"):
        raise Skipped("GNU parallel is not installed")
    with fresh() as folder:
        tree = Tree(folder)
        tree.build("total 0\n")
        write_script(f"{folder}/bin/ssh", "#!/bin/sh\nexit 255\n")
        with open(f"{folder}/hosts", "w", encoding="utf-8") as hosts:
            hosts.write("one.example\n")
        words = ["--workload", "boot", "--seeds", "1..2", "--unit", "1", "--engine", "parallel", "--hosts", f"{folder}/hosts"]
        text = tree.explore(*words, path=f"{folder}/bin", status=FOUND)
        expect(text.count("NOT RUN boot") == 2 and "no verdict came back" in text, text)


# Goal: with --preempt the campaign is one of the build that stops threads inside their code, on one processor and on two.
def test_preempted():
    with fresh() as folder:
        tree = Tree(folder)
        tree.build('echo "not this build" >&2; exit 1\n')
        tree.build('case " $* " in *" --preempt "*) ;; *) echo "not preempted" >&2; exit 1 ;; esac\n'
                   '[ "$first" != 5 ] || fail "lost 7" 5\ntotal $((first == 5))\n', preset="hosted-preempt")
        words = ["--workload", "till", "--seeds", "1..8", "--unit", "4", "--preempt", "--no-shrink"]
        text = tree.explore(*words, status=FOUND)
        expect("again:   gemel sim --seed 5 --workload till --strategy portfolio --preempt --faults default" in text, text)
        tree.explore(*words, "--cpus", "2", status=FOUND)
        found = {row[0] for row in rows(folder, "SELECT strategy FROM unit")}
        expect(found == {"portfolio+preempt", "portfolio@2+preempt"}, f"{found}")


# Goal: commands that are told can be pasted, whatever the workload is called.
def test_commands_are_quoted():
    with fresh() as folder:
        tree = Tree(folder)
        tree.build('fail "lost 7" 3\ntotal 1\n')
        text = tree.explore("--workload", "echo 'a' | cat", "--seeds", "1..4", "--unit", "4", "--no-shrink", status=FOUND)
        quoted = """'echo '"'"'a'"'"' | cat'"""
        expect(f"again:   gemel sim --seed 3 --workload {quoted} --strategy" in text, text)


if __name__ == "__main__":
    run_tests(dict(globals()))
