"""How long functions and files are. A function's body begins with a line that is `{` alone: that is how
clang-format lays them out here."""
import re

FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 1000
TABLE_ROWS = 10


def functions(text):
    """(lines, first line's number, head) of every function in a file."""
    lines = text.split("\n")
    for index, line in enumerate(lines):
        match = re.fullmatch(r"( *)\{", line)
        if not match or index == 0:
            continue
        end = index + 1
        while end < len(lines) and not lines[end].startswith(match[1] + "}"):
            end += 1
        head = lines[index - 1].strip()
        if "requires" in " ".join(lines[max(0, index - 5) : index]):
            continue  # a concept
        # A switch that only translates is a table: its labels do not count.
        labels = sum(line.lstrip().startswith("case ") for line in lines[index:end])
        yield end - index + 1 - labels, index, head


def read(top, path):
    with open(f"{top}/{path}", encoding="utf-8", errors="replace") as file:
        return file.read()


def violations(top, paths):
    for path in paths:
        text = read(top, path)
        count = text.count("\n")
        if count > FILE_LINES_MAX:
            yield f"{path}: {count} lines (at most {FILE_LINES_MAX})"
        if not path.endswith((".cpp", ".hpp")):
            continue
        for length, number, head in functions(text):
            if length > FUNCTION_LINES_MAX:
                yield f"{path}:{number}: a function of {length} lines (at most {FUNCTION_LINES_MAX}): {head}"


def print_table(top, paths):
    found = []
    for path in paths:
        if path.endswith((".cpp", ".hpp")):
            found += [(length, f"{path}:{number}", head) for length, number, head in functions(read(top, path))]
    if not found:
        return
    short = sum(length <= 32 for length, _, _ in found)  # 30 lines and the braces
    print(f"functions: {len(found)}, of at most 30 lines {100 * short // len(found)} %; the longest:")
    for length, where, head in sorted(found, reverse=True)[:TABLE_ROWS]:
        print(f"  {length:4} {where}  {head[:80]}")
