#!/usr/bin/env python3
"""The documents agree with the code, and their links lead somewhere. One line for each disagreement; the last
line counts the checks."""
import os
import re
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FOLDERS = ("core", "arch", "servers", "sim", "frontends", "tests", "examples", "docs", "scripts", "cmake")


def read(path):
    with open(f"{TOP}/{path}", encoding="utf-8") as file:
        return file.read()


def documents():
    listing = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "*.md"],
        cwd=TOP, capture_output=True, text=True, check=True,
    ).stdout.split()
    return sorted({path for path in listing if os.path.exists(f"{TOP}/{path}")})


def enumerators(source, enum):
    """(name, value) of every enumerator that states its value; of a plain list, (name, index)."""
    body = re.search(rf"enum class {enum} : u\d+ \{{(.*?)\}};", source, re.S)[1]
    body = re.sub(r"//[^\n]*", "", body)
    found = []
    for index, item in enumerate(part.strip() for part in body.split(",")):
        if item:
            name, _, value = item.partition("=")
            found.append((name.strip(), int(value, 0) if value else index))
    return found


def anchor_of(heading):
    text = re.sub(r"[`*_]", "", heading.strip().lower())
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def check_links():
    for path in documents():
        text = re.sub(r"```.*?```", "", read(path), flags=re.S)
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            if re.match(r"[a-z]+:", target):
                continue
            file, _, anchor = target.partition("#")
            whole = os.path.normpath(os.path.join(os.path.dirname(path), file)) if file else path
            if not os.path.exists(f"{TOP}/{whole}"):
                yield f"{path}: dead link {target}"
            elif anchor and anchor not in {anchor_of(h) for h in re.findall(r"^#+ (.*)$", read(whole), re.M)}:
                yield f"{path}: no heading for {target}"


def check_paths():
    """`core/abi/call.hpp` in a document is a file that exists; so is a folder."""
    for path in documents():
        for name in re.findall(r"`([\w./-]+)`", read(path)):
            if name.split("/")[0] in FOLDERS and "/" in name and not os.path.exists(f"{TOP}/{name}"):
                beside = os.path.join(os.path.dirname(path), name)
                if not os.path.exists(f"{TOP}/{beside}"):
                    yield f"{path}: names {name}, which does not exist"


def check_calls():
    source = read("core/abi/call.hpp")
    calls = enumerators(source, "Call")
    index = read("docs/calls/README.md")
    for name, number in calls:
        page = f"docs/calls/{name}.md"
        if not os.path.exists(f"{TOP}/{page}"):
            yield f"{page} is missing"
            continue
        if not read(page).startswith(f"# {name} (call {number})\n"):
            yield f"{page}: its first line is not `# {name} (call {number})`"
        if f"| {number} | [{name}]({name}.md) |" not in index:
            yield f"docs/calls/README.md: no row for {name}"
    known = {f"{name}.md" for name, _ in calls} | {"README.md"}
    for extra in sorted(set(os.listdir(f"{TOP}/docs/calls")) - known):
        yield f"docs/calls/{extra}: no such call"


def check_call_words():
    """Options of port_receive, vm_allocate and cap_move stand on their pages with their values."""
    source = read("core/abi/call.hpp")
    for enum, page in (("ReceiveFlag", "port_receive"), ("CapOperation", "cap_move")):
        text = read(f"docs/calls/{page}.md")
        for name, value in enumerators(source, enum):
            if not re.search(rf"{name.upper()} \(?{value}\b", text):
                yield f"docs/calls/{page}.md: does not name {name.upper()} {value}"


def check_brokers():
    source = read("core/abi/operation.hpp")
    table = dict(re.findall(r"OperationInfo \{ Operation::(\w+), Broker::(\w+),", source))
    numbers = dict(enumerators(source, "Operation"))
    for name, number in numbers.items():
        if name not in table:
            yield f"core/abi/operation.hpp: {name} has no line in the table"
            continue
        page = f"docs/brokers/{table[name]}.md"
        if not os.path.exists(f"{TOP}/{page}"):
            yield f"{page} is missing"
        elif f"| 0x{number:02X} | {name} |" not in read(page):
            yield f"{page}: no row `| 0x{number:02X} | {name} |`"
    for broker, _ in enumerators(source, "Broker"):
        for row in re.findall(r"\| 0x[0-9A-F]+ \| (\w+) \|", read(f"docs/brokers/{broker}.md")):
            if table.get(row) != broker:
                yield f"docs/brokers/{broker}.md: {row} is no operation of it"


def check_errors():
    source = read("core/abi/error.hpp")
    names = dict(re.findall(r'case Error::(\w+):\s+return "([^"]+)"', source))
    text = read("docs/errors.md")
    numbers = dict(enumerators(source, "Error"))
    for name, number in numbers.items():
        if f"| {number:02X} | {name.upper()} | {names.get(name)} |" not in text:
            yield f"docs/errors.md: no row for {name} {number:02X}"
    for page in documents():
        if page.startswith(("docs/calls/", "docs/brokers/")):
            for word in re.findall(r"^\| ([A-Z_]+(?:, [A-Z_]+)*) \|", read(page), re.M):
                for error in word.split(", "):
                    if error.lower() not in numbers and not is_flag(error):
                        yield f"{page}: {error} is no error"


def is_flag(word):
    return word in {"READ", "WRITE", "EXECUTE", "REGION", "LASTING"}


def check_readme():
    text = read("README.md") if os.path.exists(f"{TOP}/README.md") else ""
    for command in ("./gemel run", "./gemel test"):
        if command not in text:
            yield f"README.md does not show {command}"


def check_decisions():
    folder = f"{TOP}/docs/decisions"
    numbers = [name[:4] for name in sorted(os.listdir(folder)) if name != "README.md"]
    if numbers != [f"{number:04d}" for number in range(1, len(numbers) + 1)]:
        yield f"docs/decisions: the numbers are not 0001 to {len(numbers):04d}"
    index = read("docs/decisions/README.md")
    for name in os.listdir(folder):
        if name != "README.md" and f"({name})" not in index:
            yield f"docs/decisions/README.md: no line for {name}"


def named_tests(page, number, cell):
    """Disagreements of the tests that a cell names (each behind its file), and how many there are."""
    parts = re.findall(r"`([\w./]+/[\w./]+)`((?: (?:`\w+\.\w+`|\"[^\"]+\"))*)", cell)
    wrong, names = [], 0
    if not parts or any(not said for _, said in parts):
        wrong.append(f"{page}:{number}: names no test")
    for file, said in parts:
        text = re.sub(r'"\s+"', "", read(file)) if os.path.exists(f"{TOP}/{file}") else ""
        for suite, test in re.findall(r"`(\w+)\.(\w+)`", said):
            names += 1
            if f"TEST({suite}, {test})" not in text:
                wrong.append(f"{page}:{number}: {file} has no test {suite}.{test}")
        for words in re.findall(r'"([^"]+)"', said):
            names += 1
            if words not in text:
                wrong.append(f"{page}:{number}: {file} does not say {words!r}")
    return wrong, names


def atlas_rows():
    """(heading, line, cells) of each row of docs/atlas.md."""
    heading = ""
    for number, line in enumerate(read("docs/atlas.md").splitlines(), 1):
        heading = line[3:] if line.startswith("## ") else heading
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `"):
            yield heading, number, cells


def check_atlas():
    """Every kind of fault and every workload has one row, whose cells say something and whose tests are there."""
    oracle = read("sim/oracle/oracle.cpp")
    known = {
        "Kinds": re.findall(r'"([a-z-]+)"', re.search(r"names\[kinds\] = \{(.*?)\}", oracle, re.S)[1]),
        "Workloads": re.findall(r'^    \{ "([a-z0-9-]+)", ', read("sim/run/workload.cpp"), re.M),
    }
    kinds = enumerators(read("sim/oracle/oracle.hpp"), "Kind")
    if [name.replace("_", "-") for name, _ in kinds] != known["Kinds"] or len(known["Workloads"]) < 8:
        yield f"sim/oracle/oracle.cpp: the names of kinds are not those of Kind, or no workloads are found: {known}"
    for heading, names in known.items():
        rows = [(number, cells) for title, number, cells in atlas_rows() if title == heading]
        if sorted(cells[0].strip("`") for _, cells in rows) != sorted(names):
            there = {cells[0].strip("`") for _, cells in rows}
            wrong = there ^ set(names) or there
            yield f"docs/atlas.md: {heading}: not one row for each; missing, twice or unknown: {wrong}"
        for number, cells in rows:
            if not all(cells):
                yield f"docs/atlas.md:{number}: an empty cell"
            yield from named_tests("docs/atlas.md", number, cells[-1])[0]
    text = read("docs/simulator.md")
    for name in known["Workloads"]:
        if f"| `{name}` |" not in text:
            yield f"docs/simulator.md: no row for the workload {name}"


def security_rows():
    """(line, what its last cell says) of each table line of docs/security.md that names a promise or an attack."""
    for number, line in enumerate(read("docs/security.md").splitlines(), 1):
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and len(cells) == 3 and cells[0] not in ("promise", "tests", "---") \
                and not cells[0].startswith("`tests/"):
            yield number, cells[2]


def check_security():
    """Every promise names tests, and each of them stands in the file that it is said to stand in."""
    names = 0
    for number, cell in security_rows():
        wrong, count = named_tests("docs/security.md", number, cell)
        names += count
        yield from wrong
    if names < 50:
        yield f"docs/security.md: only {names} tests are named"


CHECKS = {
    "links": check_links,
    "paths": check_paths,
    "a page for each call": check_calls,
    "the words of the calls": check_call_words,
    "a row for each broker operation": check_brokers,
    "errors": check_errors,
    "README.md": check_readme,
    "decisions": check_decisions,
    "tests of security": check_security,
    "the atlas": check_atlas,
}


def main():
    passed = failed = 0
    for title, check in CHECKS.items():
        found = list(check())
        for line in found:
            print(line)
        print(f"{'FAIL' if found else 'ok  '} {title}")
        passed, failed = passed + (not found), failed + bool(found)
    print(f"{passed} passed, {failed} failed, 0 skipped")
    sys.exit(2 if failed else 0)


if __name__ == "__main__":
    main()
