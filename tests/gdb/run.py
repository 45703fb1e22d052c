#!/usr/bin/env python3
"""Scripted runs of gdb on the hosted system: what a person types, and what must appear. The last line counts.

--preset PRESET   the build that is tried (default: hosted); names of tests may follow
"""
import argparse
import json
import os
import re
import resource
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FILTER = "--gtest_filter=Message.ACallIsAnswered"
TIMEOUT_S = 120


def use(preset):
    global KERNEL_TEST, RUNTIME_TEST, PROCESSORS
    KERNEL_TEST = f"{TOP}/build/{preset}/tests/kernel_test"
    RUNTIME_TEST = f"{TOP}/build/{preset}/servers/rt/rt_test"
    PROCESSORS = f"{TOP}/build/{preset}/tests/native_smp"


use("hosted")


def debug(commands, arguments):
    """What gdb prints when it is given these commands."""
    words = ["gdb", "-q", "-nx", "-batch", "-iex", "set debuginfod enabled off", "-iex", f"directory {TOP}"]
    for command in ("set pagination off", "set confirm off", f"source {TOP}/frontends/gdb/gemel_gdb.py", *commands):
        words += ["-ex", command]
    run = subprocess.run(
        words + arguments, cwd=TOP, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT_S
    )
    return run.stdout + run.stderr


def missing(text, patterns):
    """The first of these that does not follow the one before it."""
    at = 0
    for pattern in patterns:
        found = re.compile(pattern, re.M | re.S).search(text, at)
        if not found:
            return pattern
        at = found.end()
    return None


def wrong(text, what):
    """What a test answers that has found it itself."""
    return text, [re.escape(what)]


# Goal: a thread that waits in a call is listed, and its stack shows the program's own frames.
# Method: stop a server before its first receive; its caller is queued by then.
def test_waiting_caller():
    text = debug(
        ["break plus_one_server", "run", "info tasks", "task apply all bt", "task 1", "up 4"],
        ["--args", KERNEL_TEST, FILTER],
    )
    return text, [
        r"^ +1 init +init +calling ",
        r"^\* +2 init +running +.*?plus_one_server at \S*core/syscall/message_test.cpp:",
        r'^Task 1 "init"', r"in gemel::test::call .*?core/syscall/message_test.cpp", r'^Task 2 "init"',
        r"^#0 .*?plus_one_server",
    ]


# Goal: with a host thread for each processor, what runs is found on every one of them.
# Method: stop while each processor has a thread that never calls the kernel, or the one that started them.
def test_host_threads():
    text = debug(
        ["break Checks::expect", "run", "info tasks", "task apply all bt", "thread"],
        ["--args", PROCESSORS, "cpus=2", "host_threads=1"],
    )
    return text, [
        r"^\* +1 init +init +running +.*?tests/native/smp.cpp:",
        r"^\* +[23] init +\S* +running +.*?count_for_ever.*? at \S*tests/native/smp.cpp:",
        r'^Task 1 "init"', r"every_processor_works", r"^#\d+ .*?count_for_ever", r"Current thread is 1 ",
    ]


# Goal: step-ipc goes from a call to the server that received it, and from its reply back.
# Method: three steps, because a tick may have let either side be first.
def test_step_ipc():
    text = debug(
        ["break gemel::test::call", "run", "ignore 1 6", "continue", "delete", *["step-ipc", "bt"] * 3],
        ["--args", KERNEL_TEST, FILTER],
    )
    return text, [
        r"^thread 1 \(init\) -> thread 2 \(init\)", r"plus_one_server.*?fiber_main",
        r"^thread 2 \(init\) -> thread 1 \(init\)", r"message_test.cpp.*?fiber_main",
    ]


VIEWS_OF_A_CORE = [r"^ +1 init +init +calling ", r"in gemel::test::call ", r"init_entry", r"fiber_main"]


# Goal: the same views on a core file.
def test_core_file():
    with tempfile.TemporaryDirectory(prefix="gemel-gdb-") as folder:
        core = f"{folder}/core"
        debug(["break plus_one_server", "run", f"generate-core-file {core}"], ["--args", KERNEL_TEST, FILTER])
        text = debug(["info tasks", "task apply 1 bt"], [KERNEL_TEST, core])
    return text, VIEWS_OF_A_CORE


# Goal: the same on a core file that the host's kernel writes, in builds with a sanitizer too (gdb's own would hold all
# that such a program has reserved).
def test_core_file_of_the_host():
    with open("/proc/sys/kernel/core_pattern", encoding="utf-8") as file:
        pattern = file.read().strip()
    if "%" in pattern or "/" in pattern or resource.getrlimit(resource.RLIMIT_CORE)[1] == 0:
        return "nothing", []  # this host puts core files elsewhere, or nowhere
    limit = resource.getrlimit(resource.RLIMIT_CORE)
    with tempfile.TemporaryDirectory(prefix="gemel-gdb-") as folder:
        resource.setrlimit(resource.RLIMIT_CORE, (limit[1], limit[1]))
        try:
            text = debug(["break plus_one_server", f"set cwd {folder}", "run", "signal SIGABRT"], ["--args", KERNEL_TEST, FILTER])
        finally:
            resource.setrlimit(resource.RLIMIT_CORE, limit)
        cores = os.listdir(folder)
        if len(cores) != 1:
            return wrong(text, f"one core file and not {cores}")
        text = debug(["info tasks", "task apply 1 bt"], [KERNEL_TEST, f"{folder}/{cores[0]}"])
    return text, VIEWS_OF_A_CORE


# Goal: ports, capabilities and mappings are the kernel's own, and a handle prints as what it names.
# Method: a server's first derive: its row, with the row it came from, is there when it is done.
def test_objects():
    look = ["info ports init", "info caps init", "info regions init", "print *this"]
    text = debug(
        ["break gemel::Handle::derive", "run", *look, "finish", "info caps init", "info caps nobody-at-all"],
        ["--args", RUNTIME_TEST, "--gtest_filter=Serve.RoundTrips"],
    )
    handle = r"handle 0x\w+: port \d+ of init, "
    return text, [
        r"^ +\d+ init +0 0x0 ", r"^ +\d+ init +port \d+ of init +0x0 +- send\|receive",
        r"^init +0x2\w+ +\d+ rw- +\d+$", rf"^\$1 = {handle}send\|receive\|.*, held by init$",
        rf"value = {handle}derive\|call, held by init", r"^ +\d+ init +port \d+ of init +0x0 +\d+ derive\|call$",
        r"^no task nobody-at-all",
    ]


# Goal: the editor's configuration names files that are there.
def test_editor_configuration():
    with open(f"{TOP}/.vscode/launch.json", encoding="utf-8") as file:
        text = re.sub(r"^\s*//.*$", "", file.read(), flags=re.M)
    for configuration in json.loads(text)["configurations"]:
        for path in re.findall(r"\$\{workspaceFolder\}/([\w./-]+)", json.dumps(configuration)):
            if not os.path.exists(f"{TOP}/{path}"):
                return text, [f"{path} in {configuration['name']}"]
    return text, [r'"Gemel: attach"']


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--preset", default="hosted")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    use(options.preset)
    tests = {name: test for name, test in globals().items()
             if name.startswith("test_") and (not options.names or name[5:] in options.names)}
    passed = failed = 0
    for name, test in tests.items():
        try:
            text, patterns = test()
            lost = missing(text, patterns)
        except subprocess.TimeoutExpired:
            text, lost = "", f"an end within {TIMEOUT_S} s"
        passed, failed = passed + (lost is None), failed + (lost is not None)
        print(f"{'ok  ' if lost is None else 'FAIL'} {name}")
        if lost is not None:
            print(f"expected: {lost}\n{text}")
    print(f"{passed} passed, {failed} failed, 0 skipped")
    sys.exit(2 if failed else 0)


if __name__ == "__main__":
    main()
