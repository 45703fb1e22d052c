"""What the tests of recorded sessions share: the program, its sessions, and what a replay tells."""
import os
import re
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.append(f"{TOP}/tests/system")
from terminal import Failure, Terminal  # noqa: E402

PROGRAM = f"{TOP}/build/hosted/frontends/cli/gemel"
SECONDS_MAX = 120
SCRIPT = "ls -lR / > /tmp/list; wc /tmp/list; cat /etc/motd; ps; echo $RANDOM > /tmp/x; sleep 0.1; echo end-$((1 + 1))"


def expect(condition, text):
    if not condition:
        raise AssertionError(text)


def environment(folder):
    """A state directory of its own: the default disk is made there."""
    return dict(os.environ, GEMEL_ROOT=TOP, XDG_DATA_HOME=folder, TERM="xterm")


def gemel(folder, *words, typed=None, before=()):
    """Exit status, standard output, standard error."""
    done = subprocess.run(
        [*before, PROGRAM, *words], capture_output=True, timeout=SECONDS_MAX, env=environment(folder), check=False,
        **({"stdin": subprocess.DEVNULL} if typed is None else {"input": typed.encode()}),
    )
    return done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")


def told(text):
    """L1 of the last line of a replay that went as recorded."""
    match = re.search(r"played back as recorded.*  (\d+) events  L1 ([0-9a-f]{32})\n\Z", text)
    expect(match, f"not as recorded: {text[-1500:]}")
    return match[2]


def transcript(text):
    return text[: text.rindex("played back as recorded")]


def plays_back(folder, file, shown=None, status=0):
    """L1 of the file's session: the same twice, with another heap fill and without address randomisation."""
    results = [gemel(folder, "replay", file, "--console"), gemel(folder, "replay", file, "--console", "--heap-fill", "90"),
               gemel(folder, "replay", file, "--console", before=["setarch", "-R"])]
    for got, text, errors in results:
        expect(got == status, f"status {got}: {text[-1500:]}{errors}")
        told(text)
        expect(text == results[0][1], f"two replays differ:\n{results[0][1]}\n---\n{text}")
    if shown is not None:
        expect(transcript(results[0][1]) == shown, f"shown:\n{shown}\n--- played back:\n{results[0][1]}")
    return told(results[0][1])


def recorded(folder, *words, typed=None):
    """The file, and what the session showed."""
    file = f"{folder}/session.gemel"
    if os.path.exists(file):
        os.unlink(file)
    status, shown, errors = gemel(folder, "record", "-o", file, *words, typed=typed)
    expect(status == 0 and "again: gemel replay" in errors, f"status {status}: {errors}")
    return file, shown


class RecordedTerminal(Terminal):
    """A terminal with a session in it that is recorded."""

    def __init__(self, folder, *words, command="record"):
        self.all = ""
        super().__init__(*words, command=command, environment=environment(folder))

    def read_more(self, seconds):
        before = len(self.text)
        ready = super().read_more(seconds)
        self.all += self.text[before:]
        return ready
