#!/usr/bin/env python3
"""Sessions of `gemel record`, played back. The last line counts: N passed, M failed, K skipped."""
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

import recording
import window
from sessions import SCRIPT, Failure, RecordedTerminal, expect, gemel, plays_back, recorded, told, transcript  # noqa: F401


def make_image(folder):
    image = f"{folder}/user.img"
    os.makedirs(f"{folder}/content")
    with open(f"{folder}/content/letter", "w", encoding="utf-8") as file:
        file.write("dear reader\n" * 2000)
    subprocess.run(["mkfs.ext4", "-q", "-d", f"{folder}/content", image, "16M"], check=True, capture_output=True)
    return image


def test_script(folder):
    """Goal: a session of -c plays back with equal L1 and shows byte for byte what its user saw, with nothing else at
    hand: neither its disk nor another file."""
    file, shown = recorded(folder, "-c", SCRIPT)
    expect("end-2" in shown, shown)
    os.rename(f"{folder}/gemel/disk.img", f"{folder}/gone")
    plays_back(folder, file, shown)


def test_two_processors(folder):
    """Goal: the same on two processors."""
    file, shown = recorded(folder, "--cpus", "2", "-c", SCRIPT)
    plays_back(folder, file, shown)


def test_page_faults(folder):
    """Goal: a tick that comes with a page fault, which the pager mends, has its place in the recording.
    Method: thousands of faults, some ticks, and a fault that ends its program."""
    file, shown = recorded(folder, "-c", "paged; paged behind; for n in 1 2 3 4; do paged sparse; paged snapshot; done; echo end-$((1 + 1))")
    expect("end-2" in shown and "memory fault at" in shown and "NO" not in shown, shown)
    plays_back(folder, file, shown)


def test_terminal(folder):
    """Goal: what was typed at a terminal, with keys that edit and interrupt, plays back."""
    with RecordedTerminal(folder, "-o", f"{folder}/t.gemel") as terminal:
        terminal.prompt()
        terminal.line("echo oney\x7f-$((1 + 0))")
        terminal.expect(r"^one-1\r?$")
        terminal.prompt()
        terminal.line("sleep 1000")
        time.sleep(0.5)
        terminal.keys("\x03")
        terminal.prompt()
        terminal.keys("cat /etc/mo\t\r")
        terminal.expect(r"Gemel")
        terminal.prompt()
        terminal.line("shutdown 3")
        expect(terminal.end() == 3, "the session's status")
        shown = terminal.all
    plays_back(folder, f"{folder}/t.gemel")
    _, text, _ = gemel(folder, "replay", f"{folder}/t.gemel", "--console")
    begin = shown.index("gemel: up in")
    expect(transcript(text)[transcript(text).index("gemel: up in"):][:200] == shown[begin:][:200], f"{shown}\n---\n{text}")
    expect(transcript(text).rstrip() in shown, f"{shown}\n--- played back:\n{text}")


def test_left(folder):
    """Goal: a session that its user left with Ctrl-] plays back to there."""
    with RecordedTerminal(folder, "-o", f"{folder}/t.gemel") as terminal:
        terminal.prompt()
        terminal.line("echo here-$((2 + 2))")
        terminal.expect(r"^here-4\r?$")
        terminal.prompt()
        terminal.keys("\x1d")
        expect(terminal.end() == 130, "the session's status")
    plays_back(folder, f"{folder}/t.gemel")


def test_user_disk(folder):
    """Goal: a user's image, written by the session, and made to hold nothing afterwards: the replay still knows."""
    image = make_image(folder)
    file, shown = recorded(
        folder, image, "--rw", "-c", "wc /letter; cp /letter /copy; echo more >> /copy; wc /copy; rm /letter")
    expect("2000" in shown, shown)
    subprocess.run(["e2fsck", "-fn", image], check=True, capture_output=True)
    with open(image, "r+b") as disk:
        disk.write(b"\xff" * (1 << 20))
    plays_back(folder, file, shown)


def test_killed(folder):
    """Goal: a session whose process was killed plays back to its last record."""
    with RecordedTerminal(folder, "-o", f"{folder}/t.gemel") as terminal:
        terminal.prompt()
        terminal.line("echo before-$((3 + 3))")
        terminal.expect(r"^before-6\r?$")
        terminal.prompt()
        time.sleep(0.3)
        terminal.process.send_signal(signal.SIGKILL)
        terminal.process.wait()
    plays_back(folder, f"{folder}/t.gemel")
    _, text, _ = gemel(folder, "replay", f"{folder}/t.gemel", "--console")
    expect("before-6" in text and "to where the recording is cut off" in text, text)


def test_damage(folder):
    """Goal: a file that is cut off or damaged anywhere plays back to there or is refused; it never shows a difference."""
    file, _ = recorded(folder, "-c", SCRIPT)
    with open(file, "rb") as whole:
        data = whole.read()
    head, _ = recording.split(data)
    last = 0
    for place in (0, 7, 20, head - 1, head, head + 1, *(len(data) * part // 7 for part in range(1, 7)), len(data) - 1):
        for damaged in (data[:place], data[:place] + bytes([data[place] ^ 16]) + data[place + 1:]):
            with open(f"{folder}/damaged", "wb") as out:
                out.write(damaged)
            status, text, errors = gemel(folder, "replay", f"{folder}/damaged")
            expect(status == (2 if place < head else 0), f"at {place}: status {status}\n{text}{errors}")
            expect("GEMEL" in errors or "damaged" in errors or "cut off" in text + errors or "read" in errors, text + errors)
            if place >= head and len(damaged) == place:
                events = int(re.search(r"  (\d+) events", text)[1])
                expect(events >= last, f"cut at {place}: {events} events, fewer than {last}")
                last = events


def test_difference(folder):
    """Goal: what is no function of the recording is seen. Method: files with right checks and one answer changed."""
    file, _ = recorded(folder, typed="echo alpha\nsleep 0.2\necho beta\n")
    with open(file, "rb") as whole:
        data = whole.read()
    begin, records = recording.split(data)
    expect(recording.join(data[:begin], records) == data, "the format is another one than this test's")
    last_time = max(i for i, (kind, _) in enumerate(records) if kind == "time")
    key = next(i for i, (kind, body) in enumerate(records) if kind == "typed" and b"beta" in body)
    tick = next(i for i, (kind, _) in enumerate(records) if kind == "idle")
    for index, body in ((key, records[key][1].replace(b"beta", b"bela")), (last_time, b"\x01"), (tick, None)):
        changed = [list(record) for record in records]
        if body is None:
            del changed[index]
        else:
            changed[index][1] = body
        with open(f"{folder}/changed", "wb") as out:
            out.write(recording.join(data[:begin], changed))
        status, text, _ = gemel(folder, "replay", f"{folder}/changed")
        expect(status == 3 and re.match(r"DIFFERENT from event \d+ on or before: ", text), f"record {index}: {status} {text}")


def test_stops(folder):
    """Goal: --to, --gdb and --trace work as they do for journals."""
    file, _ = recorded(folder, typed="echo one\nsleep 0.3\necho two\n")
    for to in ("event:2000", "0.2s"):
        status, _, errors = gemel(folder, "replay", file, "--to", to)
        expect(status == 0 and errors.startswith("reached; ") and "thread 1 init" in errors, errors)
    status, text, _ = gemel(folder, "replay", file, "--trace-text", f"{folder}/text", "--trace", f"{folder}/trace")
    with open(f"{folder}/text", encoding="utf-8", errors="replace") as lines:
        count = sum(1 for _ in lines)
    expect(status == 0 and count == int(re.search(r"  (\d+) events", text)[1]), f"{count} lines: {text}")
    expect(os.path.getsize(f"{folder}/trace") > 1000, "the trace is empty")
    _, text, errors = gemel(folder, "replay", file, "--to", "event:2000", "--gdb", "--ex", "bt", "--ex", "info tasks")
    expect("gemel::" in text and re.search(r"^\* +\d+ ", text, re.M), text[-2000:] + errors[-500:])
    _, text, errors = gemel(folder, "replay", file, "--gdb", "--ex", "tt")
    expect("nothing fails in this run" in text and "tt goto TIME" in text, text[-2000:] + errors[-500:])


def test_shell(folder):
    """Goal: from a place in the past a session goes another way, on a copy of its disk."""
    image = make_image(folder)
    with RecordedTerminal(folder, image, "--rw", "-o", f"{folder}/t.gemel") as terminal:
        terminal.prompt()
        terminal.line("echo kept > /kept; echo done-$((4 + 4))")
        terminal.expect(r"^done-8\r?$")
        terminal.prompt()
        terminal.line("rm /kept; echo gone-$((4 + 5))")
        terminal.expect(r"^gone-9\r?$")
        terminal.prompt()
        terminal.keys("\x1d")
        terminal.end()
    with open(image, "rb") as disk:
        before = disk.read()
    with open(f"{folder}/t.gemel", "rb") as file:
        _, records = recording.split(file.read())
    times, before_rm = [0, 0], 0
    for kind, body in records:
        if kind == "time":
            times.append(times[-1] + recording.number(body, 0)[0])
        if kind == "typed" and body.startswith(b"rm"):
            before_rm = times[-2]  # the last reading was right before the wait for this key
    status, text, errors = gemel(
        folder, "replay", f"{folder}/t.gemel", "--to", f"{before_rm}ns", "--shell",
        typed="cat /kept; wc /letter; echo new > /new; cat /new; shutdown 5\n")
    expect(status == 5, f"status {status}: {text}{errors}")
    expect("\nkept" in text.replace("\r", "") and "2000" in text and "\nnew" in text.replace("\r", ""), text)
    status, text, errors = gemel(folder, "replay", f"{folder}/t.gemel", "--shell", typed="ls /kept; shutdown 6\n")
    expect(status == 6 and "done-8" in text and "gone-9" in text, f"status {status}: {text}{errors}")
    with open(image, "rb") as disk:
        expect(disk.read() == before, "the past was written to")
    plays_back(folder, f"{folder}/t.gemel")


def test_record_last(folder):
    """Goal: a session with a crash leaves a file that plays it back, one without leaves none."""
    where = f"{folder}/gemel/recordings"
    status, _, errors = gemel(folder, "run", "--record-last", "60s", "-c", "echo fine")
    expect(status == 0 and os.listdir(where) == [] and "replay" not in errors, f"{os.listdir(where)} {errors}")
    status, _, errors = gemel(folder, "run", "--record-last", "60s", "-c", "mischief read; echo after")
    files = os.listdir(where)
    expect(status == 0 and len(files) == 1 and f"replay {where}/{files[0]}" in errors, f"{files} {errors}")
    plays_back(folder, f"{where}/{files[0]}", status=2)
    status, text, _ = gemel(folder, "replay", f"{where}/{files[0]}")
    expect(status == 2 and re.match(r"FAIL crash  .*task mischief\n", text), text)
    _, text, _ = gemel(folder, "replay", f"{where}/{files[0]}", "--gdb", "--ex", "bt")
    expect("gemel::mischief::(anonymous namespace)::read_low" in text, text[-2000:])
    with RecordedTerminal(folder, "--record-last", "60s", command="run") as terminal:
        terminal.prompt()
        terminal.process.send_signal(signal.SIGKILL)
        terminal.process.wait()
    newest = max(os.listdir(where))
    expect(len(os.listdir(where)) == 2, os.listdir(where))
    plays_back(folder, f"{where}/{newest}")


def test_endless(folder):
    """Goal: a program that never calls the kernel can be interrupted; the recording says where it ends."""
    for endless in ("mischief loop", "while true; do true; done"):
        endless_in(folder, endless)


def endless_in(folder, endless):
    file = f"{folder}/{endless[:5]}.gemel"
    with RecordedTerminal(folder, "-o", file) as terminal:
        terminal.prompt()
        terminal.line(endless)
        time.sleep(0.5)
        terminal.keys("\x03")
        terminal.prompt()
        terminal.line("echo on-$((5 + 5))")
        terminal.expect(r"^on-10\r?$")
        terminal.prompt()
        terminal.line("shutdown")
        terminal.end()
        while terminal.read_more(0.1):
            pass
        expect("computed without a call" in terminal.all, terminal.all)
    plays_back(folder, file)


def test_computing(folder):
    """Goal: a program may compute for as long as it likes while nobody waits for the processor: the recording goes on."""
    file = f"{folder}/computing.gemel"
    began = time.monotonic()
    status, text, errors = gemel(folder, "record", "-o", file, "-c", "mischief compute; echo computed")
    expect(status == 0 and text.endswith("computed\n"), f"{status} {text}")
    expect(time.monotonic() - began > 1.5, "it did not compute for a second: nothing was tried")
    expect("computed without a call" not in errors, errors)
    plays_back(folder, file)


def test_usage(folder):
    """Goal: what cannot be is refused, with what is right."""
    open(f"{folder}/there", "w", encoding="utf-8").close()
    status, _, errors = gemel(folder, "record", "-o", f"{folder}/there", "-c", "true")
    expect(status == 125 and "exists already" in errors, f"{status} {errors}")
    status, _, errors = gemel(folder, "run", "--record-last", "soon", "-c", "true")
    expect(status in (1, 125) and "60s" in errors, f"{status} {errors}")


TESTS = [*window.TESTS, test_script, test_two_processors, test_page_faults, test_terminal, test_left, test_user_disk, test_killed, test_damage,
         test_difference, test_stops, test_shell, test_record_last, test_endless, test_computing, test_usage]


def main():
    chosen = [test for test in TESTS if not sys.argv[1:] or test.__name__[5:] in sys.argv[1:]]
    passed = failed = 0
    for test in chosen:
        began = time.monotonic()
        try:
            with tempfile.TemporaryDirectory(prefix="gemel-record-") as folder:
                test(folder)
            passed += 1
            print(f"ok   {test.__name__[5:]} ({time.monotonic() - began:.1f} s)", flush=True)
        except (AssertionError, Failure, ValueError, subprocess.SubprocessError) as error:
            failed += 1
            print(f"FAIL {test.__name__[5:]}: {error}", flush=True)
    print(f"{passed} passed, {failed} failed, 0 skipped")
    sys.exit(2 if failed else 0)


if __name__ == "__main__":
    main()
