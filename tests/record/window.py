"""Windows: recordings of `gemel run --record-last T` that begin at a restart point."""
import os
import re
import signal
import subprocess
import time

import recording
from sessions import PROGRAM, RecordedTerminal, environment, expect, gemel, plays_back, transcript

SECOND = 1_000_000_000
# Files, pipes and processes for four seconds, with waits; then something goes wrong.
BUSY = "n=0; while [ $n -lt {} ]; do ls -lR / > /tmp/list; wc /tmp/list | cat > /tmp/count; sleep 0.1; n=$((n + 1)); done; "
RESTART = ("memory_pages", "machine_state", "restart_point")


def recordings(folder):
    where = f"{folder}/gemel/recordings"
    return sorted(f"{where}/{name}" for name in os.listdir(where)) if os.path.isdir(where) else []


def read(path):
    with open(path, "rb") as file:
        data = file.read()
    begin, records = recording.split(data)
    return data, begin, records


def window_of(folder, words, *more, turns=30, length="1s"):
    """The one file that a busy session leaves, and what the session showed."""
    for path in recordings(folder):
        os.unlink(path)
    status, shown, errors = gemel(folder, "run", "--record-last", length, *more, "-c", (BUSY.format(turns) if turns else "") + words + "; true")
    files = recordings(folder)
    expect(status == 0 and len(files) == 1 and f"again: gemel replay {files[0]}" in errors, f"{status} {files} {errors}")
    return files[0], shown


def begins_where_it_says(path, length, least=1.0):
    """Between T and 2 T before its end, and as long as an exit of the kernel takes where others want the processor, too."""
    _, _, records = read(path)
    begin, end = recording.span(records)
    expect(records[0][0] == "memory_pages" and "restart_point" in (kind for kind, _ in records), records[0][0])
    expect(least * length <= end - begin <= 2 * length + SECOND // 2, f"it begins {(end - begin) / SECOND} s before its end")
    return begin, end


def restart_bytes(records):
    return sum(len(body) for kind, body in records if kind in RESTART)


def test_window(folder):
    """Goal: of a session of several windows a file is left that begins between T and 2 T before its end, holds less than
    the whole session, and plays back by itself to the same L1. Method: a crash at the end; the same work recorded whole."""
    path, shown = window_of(folder, "mischief read; echo after-$((1 + 1))")
    begin, _ = begins_where_it_says(path, SECOND)
    expect("after-2" in shown, shown)
    plays_back(folder, path, status=2)
    status, text, _ = gemel(folder, "replay", path, "--console")
    expect(f"from +{begin // SECOND}.{begin % SECOND:09d}s on" in text, text)
    expect("after-2" in transcript(text) and status == 2, text)
    expect(re.search(r"FAIL crash  .*task mischief\n", text), text)
    whole = f"{folder}/whole.gemel"
    gemel(folder, "record", "-o", whole, "-c", BUSY.format(30))
    data, _, records = read(path)
    all_data, _, all_records = read(whole)
    expect(len(records) < len(all_records) * 3 / 4, f"{len(records)} records, {len(all_records)} of the whole session")
    expect(len(data) - restart_bytes(records) < len(all_data), f"{len(data)} bytes, {len(all_data)} of the whole session")


def test_window_processors(folder):
    """Goal: the same with four processors, and with isolated tasks."""
    path, _ = window_of(folder, "mischief write", "--cpus", "4")
    begins_where_it_says(path, SECOND)
    plays_back(folder, path, status=2)
    # While it sleeps nothing leaves the kernel: a window can begin at the end of a sleep, and ends T later at the soonest.
    path, _ = window_of(folder, "sleep 0.3; sleep 0.3; sleep 0.3; mischief write", "--isolate", turns=0, length="100ms")
    begin, _ = recording.span(read(path)[2])
    expect(begin > 0, "it begins at the boot")
    plays_back(folder, path, status=2)


def test_window_pages(folder):
    """Goal: a window that begins amid faults which a pager mends, with pages that several tasks share."""
    path, shown = window_of(folder, "for n in 1 2 3 4 5 6 7 8; do paged; paged sparse; paged snapshot; done; mischief trap", turns=3,
                            length="200ms")
    expect("NO" not in shown, shown)
    begins_where_it_says(path, SECOND // 5)
    plays_back(folder, path, status=2)


def test_window_many(folder):
    """Goal: windows as short as can be, so that restart points come at many places: amid calls, ticks and disk requests."""
    path, _ = window_of(folder, "mischief jump", turns=40, length="100ms")
    for _ in range(8):
        plays_back(folder, path, status=2)
        path, _ = window_of(folder, "mischief jump", turns=6 + _, length="100ms")


def make_image(folder, name, lines, mib):
    """An image with one file of so many lines, and its path."""
    image = f"{folder}/user.img"
    os.makedirs(f"{folder}/content")
    with open(f"{folder}/content/{name}", "w", encoding="utf-8") as file:
        file.writelines(f"line {number} of a file\n" for number in range(lines))
    subprocess.run(["mkfs.ext4", "-q", "-d", f"{folder}/content", image, f"{mib}M"], check=True, capture_output=True)
    return image


def test_window_disk(folder):
    """Goal: what a window's session reads from a user's disk is in the window, also where an earlier window had it.
    Method: a file that is larger than the machine's memory, read over and over; then the image holds nothing any more."""
    image = make_image(folder, "big", 1_800_000, 96)
    path, shown = window_of(folder, "for n in 1 2 3 4 5 6; do wc /big; sleep 0.3; done; mischief read", image, "--rw",
                            "--memory", "64", turns=0)
    expect("1800000" in shown, shown)
    begin, _ = recording.span(read(path)[2])
    expect(begin > 0, "it begins at the boot")
    with open(image, "r+b") as disk:
        disk.write(b"\xff" * (8 << 20))
    plays_back(folder, path, status=2)


def test_window_disk_fails(folder):
    """Goal: a disk that fails in a window fails at the same request in its replay. Method: the image gets shorter."""
    image = make_image(folder, "big", 400_000, 32)
    with RecordedTerminal(folder, image, "--rw", "--record-last", "500ms", command="run") as terminal:
        terminal.prompt()
        terminal.line("for n in 1 2 3 4 5 6 7 8; do echo $n > /small; cat /small; sync; sleep 0.2; done; echo short-$((1 + 1))")
        terminal.expect(r"^short-2\r?$")
        terminal.prompt()
        os.truncate(image, 1 << 20)
        terminal.line("wc /big; mischief read")
        terminal.prompt()
        terminal.keys("\x1d")
        terminal.end()
    path = recordings(folder)[0]
    _, _, records = read(path)
    expect(records[0][0] == "memory_pages" and "disk_failed" in (kind for kind, _ in records), [kind for kind, _ in records][-9:])
    plays_back(folder, path, status=2)


def test_window_memory(folder):
    """Goal: every page of the memory comes back. Method: a large file in /tmp, from before the window, read in it."""
    make = "cp /gemel/etc/services.toml /tmp/a; for n in 1 2 3 4 5 6 7 8 9; do cat /tmp/a /tmp/a > /tmp/b; mv /tmp/b /tmp/a; done; wc /tmp/a; "
    path, shown = window_of(folder, make + BUSY.format(25) + "wc /tmp/a; mischief read", turns=0)
    lines = [line for line in shown.splitlines() if line.endswith("/tmp/a")]
    expect(len(lines) == 2 and lines[0] == lines[1] and int(lines[0].split()[2]) > 1 << 20, shown)
    begins_where_it_says(path, SECOND)
    plays_back(folder, path, status=2)
    _, text, _ = gemel(folder, "replay", path, "--console")
    expect(lines[1] in transcript(text), text)


def test_window_assertion(folder):
    """Goal: a failed assertion of a task leaves a window; so does a fault of the machine itself, which ends the process.
    Method of the second: a signal that comes from outside. That one is no function of what is recorded: it is in the file."""
    path, _ = window_of(folder, "mischief smash")
    plays_back(folder, path, status=2)
    _, text, _ = gemel(folder, "replay", path)
    expect(text.startswith("FAIL assertion "), text)
    os.unlink(path)
    with RecordedTerminal(folder, "--record-last", "1s", command="run") as terminal:
        terminal.prompt()
        terminal.line(BUSY.format(20) + "echo idle-$((1 + 1))")
        terminal.expect(r"^idle-2\r?$")
        terminal.prompt()
        for _ in range(2):  # the first is told of, the second ends it
            terminal.process.send_signal(signal.SIGSEGV)
            time.sleep(0.3)
        expect(terminal.process.wait(10) == -signal.SIGSEGV, "it lives")
        while terminal.read_more(0.1):
            pass
    files = recordings(folder)
    expect(len(files) == 1 and f"what led to this is in {files[0]}" in terminal.all, f"{files} {terminal.all}")
    _, _, records = read(files[0])
    expect(records[0][0] == "memory_pages" and ("failure", True) in ((kind, b"a fault in the kernel" in body) for kind, body in records),
           [kind for kind, _ in records][-5:])


def test_window_kept(folder):
    """Goal: a failure that is followed by many windows is told of at the end, with its own window."""
    path, _ = window_of(folder, "mischief read; " + BUSY.format(30) + "true")
    begins_where_it_says(path, SECOND)
    plays_back(folder, path, status=2)
    status, text, _ = gemel(folder, "replay", path)
    expect(status == 2 and "FAIL crash" in text, text)
    status, _, errors = gemel(folder, "run", "--record-last", "1s", "-c", BUSY.format(25))
    expect(status == 0 and recordings(folder) == [path] and "replay" not in errors, f"{recordings(folder)} {errors}")


def killed_amid_a_point(folder):
    """Kills a session while it makes a restart point; whether that was so."""
    for path in recordings(folder):
        os.unlink(path)
    with subprocess.Popen([PROGRAM, "run", "--record-last", "500ms", "-c", BUSY.format(100)], env=environment(folder),
                          stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        until = time.monotonic() + 20
        seen = 0
        last = set()
        while time.monotonic() < until and process.poll() is None:
            younger = {path for path in recordings(folder) if path.endswith(".younger")} - last
            if younger:
                last |= younger
                seen += 1
            if seen == 4:
                process.send_signal(signal.SIGKILL)
                break
        process.wait()
    for path in last:
        if os.path.exists(path):
            with open(path, "rb") as file:
                if file.read(8) != b"GEMELR01":
                    return True
            _, _, records = read(path)
            return not any(kind == "restart_point" for kind, _ in records)
    return False


def test_window_killed(folder):
    """Goal: a session that is killed while it makes a restart point leaves a window that plays back, and the next session
    takes the unfinished one away. Method: kill as soon as the file of a new restart point is seen; try until it had none."""
    hit = 0
    for _ in range(20):
        hit += killed_amid_a_point(folder)
        older = [path for path in recordings(folder) if path.endswith(".gemel")]
        expect(len(older) in (1, 2), recordings(folder))
        begins_where_it_says(older[0], SECOND // 2, least=0.9)
        plays_back(folder, older[0])
        if hit == 2:
            break
    expect(hit == 2, "never killed amid a restart point")
    status, _, _ = gemel(folder, "run", "--record-last", "1s", "-c", "true")
    expect(status == 0 and not [path for path in recordings(folder) if path.endswith(".younger")], recordings(folder))


def refused(folder, data, *words):
    path = f"{folder}/changed.gemel"
    with open(path, "wb") as out:
        out.write(data)
    status, text, errors = gemel(folder, "replay", path, "--console")
    expect(status == 2 and text == "" and f"gemel: {path}" in errors, f"{status} {text} {errors}")
    expect(any(word in errors for word in words), errors)


def test_window_damage(folder):
    """Goal: a restart point that is damaged or cut off anywhere is refused, by the file's name; behind it a file is good up
    to there."""
    path, _ = window_of(folder, "mischief read")
    data, begin, records = read(path)
    end = begin + restart_bytes(records)  # and some, for the records' own heads
    for part in range(24):
        place = begin + (end - begin) * part // 24 + 2
        refused(folder, data[:place] + bytes([data[place] ^ 4]) + data[place + 1:], "its restart point is damaged or cut off")
        refused(folder, data[:place], "its restart point is damaged or cut off")
    with open(f"{folder}/cut.gemel", "wb") as out:
        out.write(data[: end + (len(data) - end) // 2])
    status, text, errors = gemel(folder, "replay", f"{folder}/cut.gemel")
    expect(status == 0 and "to where the recording is cut off" in text, f"{status} {text} {errors}")


def test_window_crafted(folder):
    """Goal: pages that are none, and a state that no machine has, are refused, with checks that are right."""
    path, _ = window_of(folder, "mischief read")
    data, begin, records = read(path)
    state = next(i for i, (kind, _) in enumerate(records) if kind == "machine_state")
    pages = records[0][1]
    changes = [(0, b"\xff\xff\xff\xff\x7f" + pages[1:]), (0, pages[:-1]), (0, b"\x01\x05\x80\x00\x00\x00\x00" + pages),
               (state, records[state][1][:-1]), (state, records[state][1] + b"\0"), (state, b""), (state, b"\xff" * 65536)]
    for index, body in changes:
        changed = [list(record) for record in records[: state + 2]]
        changed[index][1] = body
        head = data[:begin]
        before = recording.join(head, changed[: state + 1])
        chain = recording.chain_of(head, changed[: state + 1])
        changed[state + 1][1] = chain.to_bytes(8, "little") + changed[state + 1][1][8:]
        expect(recording.join(head, changed).startswith(before), "the format is another one than this test's")
        with open(f"{folder}/crafted.gemel", "wb") as out:
            out.write(recording.join(head, changed))
        status, text, errors = gemel(folder, "replay", f"{folder}/crafted.gemel")
        expect(status == 2 and 'FAIL restart-point  "' in text, f"record {index}: {status} {text} {errors}")


def test_window_build(folder):
    """Goal: a restart point of another build, or of other libraries, is refused by name, before anything of it is used."""
    path, _ = window_of(folder, "mischief read")
    data, begin, records = read(path)
    for at, words in ((0, "is this build"), (0, "begins at a restart point of build")):
        changed = recording.with_head(data, begin, at, b"\x01\x02\x03\x04\x05\x06\x07\x08")
        refused(folder, recording.join(changed, records), words, "and this is build")
    changed = recording.with_head(data, begin, begin - 24 - 8, b"\x01\x02\x03\x04\x05\x06\x07\x08")
    refused(folder, recording.join(changed, records), "a library of the host")


def test_window_stops(folder):
    """Goal: --to, --gdb, --trace and going back in time work from a restart point."""
    path, _ = window_of(folder, "mischief read")
    begin, end = begins_where_it_says(path, SECOND)
    middle = (begin + end) // 2
    status, _, errors = gemel(folder, "replay", path, "--to", f"{middle}ns")
    expect(status == 2 and errors.startswith("reached; ") and "thread 1 init" in errors, errors)
    status, _, errors = gemel(folder, "replay", path, "--to", f"{begin // 2}ns")
    expect(status == 1 and "say a later --to" in errors and path in errors, errors)
    status, text, errors = gemel(folder, "replay", path, "--trace-text", f"{folder}/text", "--trace", f"{folder}/trace")
    with open(f"{folder}/text", encoding="utf-8", errors="replace") as lines:
        count = sum(1 for _ in lines)
    expect(status == 2 and 1000 < count < int(re.search(r"  (\d+) events", text)[1]), f"{count} lines: {text} {errors}")
    _, text, errors = gemel(folder, "replay", path, "--gdb", "--ex", "bt 2", "--ex", "reverse-step", "--ex", "tt",
                            "--ex", f"tt goto {middle // 1_000_000}ms", "--ex", "tt", "--ex", "tt failure", "--ex", "bt 2")
    expect(text.count("gemel::mischief::(anonymous namespace)::read_low") >= 2, text[-3000:] + errors[-500:])
    expect(re.search(r"t=\+[\d.]+s  task mischief", text), text[-3000:])


def test_window_shell(folder):
    """Goal: from a place in a window a session goes another way, on a copy of its disk."""
    with RecordedTerminal(folder, "--record-last", "1s", command="run") as terminal:
        terminal.prompt()
        terminal.line("echo old > /tmp/old")
        terminal.prompt()
        terminal.line(BUSY.format(20) + "echo done-$((4 + 4))")
        terminal.expect(r"^done-8\r?$")
        terminal.prompt()
        terminal.line("echo young > /tmp/young")
        terminal.prompt()
        terminal.line("mischief read")
        terminal.prompt()
        terminal.line("shutdown")
        terminal.end()
    path = recordings(folder)[0]
    begin, _ = begins_where_it_says(path, SECOND, least=0.7)
    expect(begin > SECOND, "it begins at the boot")
    status, text, errors = gemel(folder, "replay", path, "--shell",
                                 typed="cat /tmp/old /tmp/young; ls / > /tmp/x; sleep 0.3; wc /tmp/x; cat /etc/motd; shutdown 6\n")
    expect(status == 6 and "old" in text and "young" in text and "Gemel" in text, f"status {status}: {text}{errors}")
    plays_back(folder, path, status=2)


TESTS = [test_window, test_window_processors, test_window_pages, test_window_many, test_window_disk, test_window_disk_fails,
         test_window_memory, test_window_assertion, test_window_kept, test_window_killed, test_window_damage, test_window_crafted,
         test_window_build, test_window_stops, test_window_shell]
