#!/usr/bin/env python3
"""Types at the prompt as a person would, on the hosted system: a pseudo-terminal, keys, what appears. And looks at
what stays behind: the terminal's settings after every kind of end. The last line counts."""
import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = f"{TOP}/build/hosted/frontends/cli/gemel"
ANSWER_S = 20


class Failure(Exception):
    pass


class Terminal:
    """A terminal with the system in it."""

    def __init__(self, *options, command="run", environment=None):
        self.master, slave = pty.openpty()
        self.slave = slave
        self.before = termios.tcgetattr(slave)
        self.text = ""
        self.process = subprocess.Popen(
            [PROGRAM, command, *options], stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
            env=environment or dict(os.environ, GEMEL_ROOT=TOP, TERM="xterm"),
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)

    def read_more(self, seconds):
        ready, _, _ = select.select([self.master], [], [], seconds)
        if ready:
            self.text += os.read(self.master, 65536).decode("utf-8", "replace")
        return bool(ready)

    def expect(self, pattern):
        """Waits until it appears; what was shown up to its end is used up."""
        end = time.monotonic() + ANSWER_S
        while True:
            found = re.search(pattern, self.text, re.M)
            if found:
                self.text = self.text[found.end() :]
                return found
            left = end - time.monotonic()
            if left <= 0 or not self.read_more(left):
                raise Failure(f"never saw {pattern!r}; the terminal shows:\n{self.text}")

    def keys(self, keys):
        os.write(self.master, keys.encode())

    def line(self, text):
        self.keys(text + "\r")

    def prompt(self):
        self.expect(r"[$#>] (\x1b\[[0-9;?]*[A-Za-z])*$")

    def end(self):
        """The exit status; the terminal's settings must be as they were."""
        limit = time.monotonic() + ANSWER_S
        while self.process.poll() is None:
            self.read_more(0.1)
            if time.monotonic() > limit:
                raise Failure("it did not end")
        for _ in range(50):  # after a crash another process restores them
            if termios.tcgetattr(self.slave) == self.before:
                return self.process.returncode
            time.sleep(0.02)
        raise Failure("the terminal's settings were not restored")


# Goal: a prompt, a command, its output, and Ctrl-D to leave.
def test_a_command_and_leaving():
    with Terminal() as terminal:
        terminal.expect(r"gemel: up in \d+ ms")
        terminal.prompt()
        terminal.line("echo ready-$((40 + 2))")
        terminal.expect(r"^ready-42\r?$")
        terminal.prompt()
        terminal.keys("\x04")
        assert terminal.end() == 0


# Goal: shutdown ends the machine with its status.
def test_shutdown():
    with Terminal() as terminal:
        terminal.prompt()
        terminal.line("shutdown 3")
        assert terminal.end() == 3


# Goal: Ctrl-C ends a command that would go on for ever; the prompt comes back and works.
def test_interrupt():
    with Terminal() as terminal:
        terminal.prompt()
        terminal.line("sleep 1000")
        time.sleep(0.5)
        terminal.keys("\x03")
        terminal.prompt()
        terminal.line("echo still-$((1 + 1))")
        terminal.expect(r"^still-2\r?$")
        terminal.line("while true; do true; done")
        time.sleep(0.5)
        terminal.keys("\x03")
        terminal.prompt()
        terminal.line("echo again-$((1 + 2))")
        terminal.expect(r"^again-3\r?$")


# Goal: backspace, arrow keys and history edit the line.
def test_editing():
    with Terminal() as terminal:
        terminal.prompt()
        terminal.line("echo one-$((1 + 0))x\x7f")
        terminal.expect(r"^one-1\r?$")
        terminal.prompt()
        terminal.keys("echo two-2\x1b[D\x1b[D\x1b[DXX\r")
        terminal.expect(r"^twXXo-2\r?$")
        terminal.prompt()
        terminal.keys("\x1b[A\x1b[A\r")
        terminal.expect(r"^one-1\r?$")


# Goal: the tabulator completes names of commands and files.
def test_completion():
    with Terminal() as terminal:
        terminal.prompt()
        terminal.keys("cat /etc/mo\t\r")
        terminal.expect(r"Gemel")
        terminal.prompt()


# Goal: Ctrl-] ends the machine whatever it does.
def test_leaving_at_once():
    with Terminal() as terminal:
        terminal.prompt()
        terminal.keys("\x1d")
        assert terminal.end() == 130


# Goal: the terminal is usable after the process was killed or crashed.
def test_terminal_after_a_crash():
    for number in (signal.SIGKILL, signal.SIGABRT, signal.SIGTERM):
        with Terminal() as terminal:
            terminal.prompt()
            assert termios.tcgetattr(terminal.slave) != terminal.before
            os.kill(terminal.process.pid, number)
            terminal.end()


# Goal: a program that ends while it reads takes nothing along: the console serves on.
def test_a_reader_interrupted():
    with Terminal() as terminal:
        terminal.prompt()
        terminal.line("cat | cat")
        time.sleep(0.3)
        terminal.line("through-both")
        terminal.expect(r"^through-both\r?\nthrough-both\r?$")
        terminal.keys("half a li\x03")
        terminal.prompt()
        terminal.line("yes")
        terminal.expect(r"(^y\r?\n){50}")
        terminal.keys("\x03")
        terminal.prompt()
        terminal.line("echo $?-$((4 * 5)); service | grep console")
        terminal.expect(r"^130-20\r?\nconsole +running +[0-9]+ +0\r?$")


# Goal: lines that arrive together run one after the other, and a program reads what follows its own.
def test_pasted_lines():
    with Terminal() as terminal:
        terminal.prompt()
        terminal.keys("x=$((3 * 7))\recho one-$x\rread y; echo \"<$y>\"\rfor-read $x\rif true; then\recho two-$x\rfi\r")
        terminal.expect(r"^one-21\r?$")
        terminal.expect(r"^<for-read \$x>\r?$")
        terminal.expect(r"^two-21\r?$")
        terminal.keys("\x04")


# Goal: every byte of a standard input that is a file arrives, and nothing else.
def test_binary_input():
    data = os.urandom(20000) + b"\x03\x04\x16\r\n\x04"
    ran = subprocess.run(
        [PROGRAM, "run", "-c", "cat"], input=data, capture_output=True, timeout=60, env=dict(os.environ, GEMEL_ROOT=TOP)
    )
    assert ran.stdout == data, f"{len(ran.stdout)} bytes of {len(data)}"
    assert ran.returncode == 0


# Goal: a disk has one system at a time: the second is told who holds it, and nothing happens to the first.
def test_disk_in_use():
    with Terminal() as terminal:
        terminal.prompt()
        second = subprocess.run(
            [PROGRAM, "run", "-c", "true"], capture_output=True, text=True, timeout=ANSWER_S, stdin=subprocess.DEVNULL,
            env=dict(os.environ, GEMEL_ROOT=TOP),
        )
        assert second.returncode == 125, second.returncode
        assert re.search(r"is in use by \w+ \(process \d+\)", second.stderr), second.stderr
        terminal.line("echo still-$((20 + 1))")
        terminal.expect(r"^still-21\r?$")
        terminal.keys("\x04")
        assert terminal.end() == 0


# Goal: standard input that is no terminal is a script, line by line; no prompt, no echo.
def test_piped_input():
    run = subprocess.run(
        [PROGRAM, "run"], input="echo one-$((1 + 0))\nread x\nbanana\necho got-$x\nexit 5\n", text=True,
        capture_output=True, timeout=ANSWER_S, env=dict(os.environ, GEMEL_ROOT=TOP),
    )
    lines = [line for line in run.stdout.split("\n") if not line.startswith("gemel: up")]
    assert lines == ["one-1", "got-banana", ""], run.stdout
    assert run.returncode == 5, run.returncode


def main():
    tests = {name: test for name, test in globals().items() if name.startswith("test_")}
    passed = failed = 0
    for name, test in tests.items():
        try:
            test()
            trouble = None
        except (Failure, AssertionError, subprocess.TimeoutExpired, OSError) as error:
            trouble = f"{type(error).__name__}: {error}"
        passed, failed = passed + (trouble is None), failed + (trouble is not None)
        print(f"{'ok  ' if trouble is None else 'FAIL'} {name}" + (f"\n{trouble}" if trouble else ""), flush=True)
    print(f"{passed} passed, {failed} failed, 0 skipped")
    sys.exit(2 if failed else 0)


if __name__ == "__main__":
    main()
