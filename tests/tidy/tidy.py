#!/usr/bin/env python3
"""What a tool can hold of docs/style.md. One line for each violation; the last line counts the rules.

Each rule is a function that yields violations, `path:line: what`. `rules()` lists them all.
"""
import os
import re
import subprocess
import sys

import folders
import lengths
import objects

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CODE = (".cpp", ".hpp", ".S", ".c", ".h")
CONDITIONAL = re.compile(
    r"^\s*#\s*(if|ifdef|ifndef|elif).*(HOSTED|__x86_64__|__aarch64__|__riscv|__linux__|__unix__)"
)
HOST = re.compile(
    r"#\s*include\s*<(unistd\.h|sys/|thread>|condition_variable>|random>|future>|filesystem>|fstream>"
    r"|iostream>|SDL|pthread\.h|linux/|fcntl\.h|signal\.h|csignal>|time\.h|ctime>)"
    r"|\b(steady_clock|system_clock|high_resolution_clock|getenv|gettimeofday|clock_gettime|rand)\s*[(:]"
)
MACROS = {"TRY", "ASSERT", "BUGGIFY", "SOMETIMES", "NEVER"}
OWNERS = {"servers/rt/ref.hpp"}  # Own and Ref themselves
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
OUTSIDE = re.compile(r"(?<![\w.}])/(work|Users)/\w|\bDESIGN(\.md)?\b|\bSTYLE\.md\b|\bSIM\.md\b")


def tracked():
    """The files of the repository, also those that are not committed yet."""
    listing = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=TOP, capture_output=True, text=True, check=True
    ).stdout.split("\n")
    return sorted({path for path in listing if path and os.path.isfile(f"{TOP}/{path}")})


def text_of(path):
    with open(f"{TOP}/{path}", encoding="utf-8", errors="replace") as file:
        return file.read()


def lines_of(path):
    return enumerate(text_of(path).split("\n"), 1)


def portable(path):
    """Code that every face compiles: the kernel and the servers, without their host-side tests."""
    return path.startswith(("core/", "servers/")) and not host_side(path)


def host_side(path):
    return path.endswith(("_test.cpp", "_fuzz.cpp", "_test.hpp")) or "/tests/" in path or "/test/" in path


def code(paths):
    return [path for path in paths if path.endswith(CODE)]


def rule_conditionals(paths):
    for path in code(paths):
        if path.startswith(("arch/", "frontends/")):
            continue
        for number, line in lines_of(path):
            if CONDITIONAL.search(line):
                yield f"{path}:{number}: a conditional on face, architecture or system"


def rule_host_headers(paths):
    for path in code(paths):
        if path.startswith(("servers/libc/", "sim/devices/")) or not (portable(path) or path.startswith("sim/")):
            continue
        for number, line in lines_of(path):
            if HOST.search(line.split("//")[0]):
                yield f"{path}:{number}: a header, clock or variable of the host: {line.strip()}"


def rule_includes(paths):
    for path in code(paths):
        for number, line in lines_of(path):
            match = re.match(r'\s*#\s*include\s*(["<])([^">]+)[">]', line)
            if match and not folders.may_include(path, match[1], match[2]):
                yield f"{path}:{number}: may not include {match[2]} (docs/style.md, Direction)"


def rule_macros(paths):
    for path in code(paths):
        if not portable(path) or path.endswith(".S"):
            continue
        for number, line in lines_of(path):
            match = re.match(r"\s*#\s*define\s+(\w+)", line)
            if match and match[1] not in MACROS and not match[1].startswith("TOML_") and not path.startswith("servers/libc/"):
                yield f"{path}:{number}: macro {match[1]}"


def rule_raw_memory(paths):
    """`new` only where an owner takes the result in the same expression."""
    raw = re.compile(r"(?<![\w.])(new\s+[A-Z(:]\w*|delete\s+\w|delete\[\])")
    owner = re.compile(r"\b(Own|Ref|unique_ptr|shared_ptr)<|= delete|\bnew \(")
    for path in code(paths):
        if not portable(path) or path in OWNERS or path.startswith("servers/libc/"):
            continue
        before = ""
        for number, line in lines_of(path):
            text = re.sub(r'"[^"]*"', '""', line.split("//")[0])
            match = raw.search(text)
            if match and not owner.search(before + text):
                yield f"{path}:{number}: raw {match[1].split()[0]}"
            before = text


def rule_default_over_enum(paths):
    for path in code(paths):
        labels = []
        for number, line in lines_of(path) if portable(path) else ():
            if re.search(r"\bswitch\s*\(", line):
                labels = []
            match = re.match(r"\s*case\s+([\w:]+)\s*:", line)
            if match:
                labels.append(match[1])
            if re.match(r"\s*default\s*:", line) and labels and all("::" in label for label in labels):
                yield f"{path}:{number}: default over an enum hides the enumerators that are not handled"


def rule_unordered(paths):
    """Nobody goes through an unordered container: its order differs between libraries."""
    declared = re.compile(r"std::unordered_\w+<.*>\s+(\w+)\s*[;{=]")
    for folder in sorted({os.path.dirname(path) for path in code(paths)}):
        beside = [path for path in code(paths) if os.path.dirname(path) == folder and (portable(path) or path.startswith("sim/"))]
        names = {name for path in beside for name in declared.findall(text_of(path))}
        for path in beside if names else ():
            for number, line in lines_of(path):
                match = re.search(r"\bfor \(.*: (?:\w+[.>-]+)*(\w+)\)", line)
                if match and match[1] in names:
                    yield f"{path}:{number}: goes through the unordered {match[1]}"


def rule_words(paths):
    for path in paths:
        if not path.endswith(CODE + (".py", ".sh", ".md", ".txt", ".cmake")) or path.startswith("tests/tidy/"):
            continue
        for number, line in lines_of(path):
            if UNFINISHED.search(line):
                yield f"{path}:{number}: unfinished: {line.strip()}"
            if OUTSIDE.search(line):
                yield f"{path}:{number}: names something outside the repository: {line.strip()}"


def rule_readme(paths):
    sources = CODE + (".py", ".sh", ".test")
    for folder in sorted({os.path.dirname(path) for path in paths if path.endswith(sources)}):
        if folder and f"{folder}/README.md" not in paths and not re.search(r"(^|/)(include|src|boot|gemel|user)(/|$)", folder):
            yield f"{folder}: no README.md"


def rule_dead_files(paths):
    built = "\n".join(text_of(path) for path in paths if path.endswith((".txt", ".cmake")))
    included = "\n".join(text_of(path) for path in paths if path.endswith(CODE))
    called = "\n".join(
        text_of(path) for path in paths if path.endswith((".py", ".sh", ".md", ".txt", ".cmake", "gemel", "run"))
        or path.endswith(CODE)
    )
    for path in paths:
        name = os.path.basename(path)
        if path.endswith((".cpp", ".S", ".c")) and not re.search(rf"\b{re.escape(name)}", built):
            yield f"{path}: no CMakeLists.txt builds it"
        elif path.endswith((".hpp", ".h")) and not re.search(rf'[/"<]{re.escape(name)}[">]', included):
            yield f"{path}: nothing includes it"
        elif path.endswith((".py", ".sh")) and os.path.splitext(name)[0] not in called:
            yield f"{path}: nothing calls it"


def rule_planted(_paths):
    """Each defect of tests/campaign/planted has its place: the nightly search of them would only say so at night."""
    sys.path[:0] = [f"{TOP}/tests/mutants", f"{TOP}/tests/campaign/planted"]
    from generate_mutants import edited
    from plants import PLANTS

    try:
        list(edited(TOP, [(plant.file, plant.text) for plant in PLANTS]))
    except SystemExit as stale:
        yield f"tests/campaign/planted/plants.py: {stale}"


def rules():
    yield "conditionals", rule_conditionals
    yield "host headers", rule_host_headers
    yield "includes", rule_includes
    yield "macros", rule_macros
    yield "raw memory", rule_raw_memory
    yield "default over an enum", rule_default_over_enum
    yield "unordered containers", rule_unordered
    yield "words", rule_words
    yield "a README in every folder", rule_readme
    yield "dead files", rule_dead_files
    yield "planted defects", rule_planted
    yield "lengths", lambda paths: lengths.violations(TOP, code(paths) + [p for p in paths if p.endswith(".py")])
    yield "no mutable globals in servers and kernel", lambda paths: objects.violations(f"{TOP}/build/hosted")


def main():
    paths = tracked()
    passed = failed = 0
    for title, rule in rules():
        found = list(rule(paths))
        for violation in found:
            print(violation)
        print(f"{'FAIL' if found else 'ok  '} {title}" + (f" ({len(found)})" if found else ""))
        passed, failed = passed + (not found), failed + bool(found)
    lengths.print_table(TOP, code(paths))
    print(f"{passed} passed, {failed} failed, 0 skipped")
    sys.exit(2 if failed else 0)


if __name__ == "__main__":
    main()
