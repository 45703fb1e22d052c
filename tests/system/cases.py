"""The text format of a system test, and what a case becomes once its random parts are chosen.

README.md beside this file describes the format. A case is independent of every other: its random
names and contents come from the seed and its own title alone.
"""
import datetime
import os
import random
import re
import string
from dataclasses import dataclass, field

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SUBSTITUTION = re.compile(r"\{(name|text|number|line|hex|today):(\w+)\}")


class FormatError(Exception):
    """A .test file that does not follow the format; says file and line."""


@dataclass
class Case:
    title: str
    where: str
    directives: list = field(default_factory=list)  # (word, rest, line number)
    options: list = field(default_factory=list)  # of `gemel run`; then the case has a boot of its own
    alone: bool = False
    status: int = 0


@dataclass
class Concrete:
    """A case with its random parts chosen: what to put on the disk, to run, and to expect."""

    case: Case
    seed: int
    script: str = ""
    expected: str = ""  # a regular expression over the whole output
    shown: str = ""  # the same for people
    status: int = 0
    disk: list = field(default_factory=list)  # (kind, path, value)
    shrinks: int = 0  # bytes that the image file must take less of the host afterwards
    image: dict = field(default_factory=dict)  # path: what debugfs must find there afterwards
    holds: list = field(default_factory=list)  # (path, regular expression of a line that it must hold)


def parse(path):
    cases = []
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            parse_line(path, number, line.rstrip("\n"), cases)
    if not cases:
        raise FormatError(f"{path}: no case (a line that begins with ==)")
    return cases


def parse_line(path, number, line, cases):
    if not line or line.startswith("#"):
        return
    word, _, rest = line.partition(" ")
    if word == "==":
        cases.append(Case(rest.strip(), f"{path}:{number}"))
        return
    if not cases:
        raise FormatError(f"{path}:{number}: text before the first case")
    case = cases[-1]
    if word == "status":
        case.status = int(rest)
    elif word == "alone":
        case.alone = True
    elif word in ("image", "holds", "shrinks"):
        case.directives.append((word, rest, number))
    elif word == "boot":
        case.alone, case.options = True, rest.split()
    elif word in ("disk", "$", ">", ">~", ">...", ">file", ">hexdump", ">unended"):
        case.directives.append((word, rest, number))
    else:
        raise FormatError(f"{path}:{number}: unknown word {word!r}")


def today():
    """The date as a regular expression, UTC: a test may run across midnight."""
    now = datetime.datetime.now(datetime.timezone.utc)
    days = [now + datetime.timedelta(days=offset) for offset in (-1, 0, 1)]
    return "(?:" + "|".join(day.strftime("%Y-%m-%d") for day in days) + ")"


def random_value(kind, chooser):
    if kind == "today":
        return today()
    letters = string.ascii_lowercase
    if kind == "name":
        return "".join(chooser.choices(letters, k=chooser.randint(4, 12)))
    if kind == "number":
        return str(chooser.randint(2, 9999))
    if kind == "hex":
        return f"{chooser.getrandbits(32):08x}"
    words = ["".join(chooser.choices(letters, k=chooser.randint(2, 9))) for _ in range(6)]
    return " ".join(words) if kind == "line" else "-".join(words[:3])


class Instance:
    """Chooses the random parts of one case and follows its directives."""

    def __init__(self, case, seed):
        self.out = Concrete(case, seed, status=case.status)
        self.chooser = random.Random(f"{seed} {case.title}")
        self.values = {}
        self.files = {}

    def fill(self, text):
        def value(match):
            key = match[0]
            if key not in self.values:
                self.values[key] = random_value(match[1], self.chooser)
            return self.values[key]

        return SUBSTITUTION.sub(value, text)

    def build(self):
        for word, rest, number in self.out.case.directives:
            rest = self.fill(rest)
            if word == "disk":
                self.disk(rest, number)
            elif word == "$":
                self.out.script += rest + "\n"
            elif word == "shrinks":
                self.out.shrinks = int(rest)
            elif word == "image":
                path, line = rest.split(" ", 1)
                self.out.image[path] = line + "\n"
            elif word == "holds":
                self.out.holds.append(tuple(rest.split(" ", 1)))
            else:
                self.expect(word, rest)
        try:
            re.compile(self.out.expected)
        except re.error as error:
            raise FormatError(f"{self.out.case.where}: a bad regular expression: {error}") from None
        return self.out

    def disk(self, rest, number):
        kind, path, *value = rest.split(" ", 2)
        value = value[0] if value else ""
        if kind == "text":
            value = (value + "\n").encode()
        elif kind == "bytes":
            value = value.encode().decode("unicode_escape").encode("latin-1")
        elif kind == "random":
            value = self.chooser.randbytes(int(value))
        elif kind == "copy":
            with open(f"{TOP}/{value}", "rb") as file:
                value = file.read()
        elif kind == "lines":
            value = "".join(random_value("line", self.chooser) + "\n" for _ in range(int(value))).encode()
        elif kind not in ("dir", "link", "hole", "many"):
            raise FormatError(f"{self.out.case.where}: line {number}: unknown disk {kind}")
        if isinstance(value, bytes):
            self.files[path] = value
            kind = "file"
        self.out.disk.append((kind, path, value))

    def expect(self, word, rest):
        out = self.out
        exact = rest + "\n"
        if word == ">~":
            out.expected += f"(?:{rest})\n"
        elif word == ">...":
            out.expected += r"(?:.*\n)*?"
            exact = "...\n"
        elif word == ">file":
            exact = self.files[rest].decode("latin-1")
            out.expected += re.escape(exact)
        elif word == ">hexdump":
            exact = hexdump(self.files[rest])
            out.expected += re.escape(exact)
        elif word == ">unended":
            exact = rest
            out.expected += re.escape(exact)
        else:
            out.expected += re.escape(exact)
        out.shown += exact


def hexdump(data):
    """What `hexdump FILE` prints (servers/tools): offset, sixteen bytes, the printable ones."""
    lines = []
    for offset in range(0, len(data), 16):
        row = data[offset : offset + 16]
        columns = " ".join(f"{byte:02x}" for byte in row[:8]).ljust(23)
        columns += "  " + " ".join(f"{byte:02x}" for byte in row[8:]).ljust(23)
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        lines.append(f"{offset:08x}  {columns}  |{text}|\n")
    return "".join(lines) + f"{len(data):08x}\n"


def instantiate(case, seed):
    return Instance(case, seed).build()


def write_tree(top, concretes):
    """The disk's root for these cases: their own files, and /t/N, the script of case N."""
    os.makedirs(f"{top}/t", exist_ok=True)
    for name in ("tmp", "dev", "proc", "gemel"):
        os.makedirs(f"{top}/{name}", exist_ok=True)
    for number, concrete in enumerate(concretes):
        with open(f"{top}/t/{number}", "w", encoding="utf-8") as file:
            file.write(concrete.script)
        for kind, path, value in concrete.disk:
            write_entry(top + path, kind, value)


def write_entry(path, kind, value):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if kind == "dir":
        os.makedirs(path, exist_ok=True)
    elif kind == "link":
        os.symlink(value, path)
    elif kind == "many":  # a directory of that many files, PREFIX-N with the line N
        os.makedirs(path)
        count, _, prefix = value.partition(" ")
        for number in range(int(count)):
            write_entry(f"{path}/{prefix or 'file'}-{number}", "file", f"{number}\n".encode())
    elif kind == "hole":  # SIZE bytes that are not there
        with open(path, "wb") as file:
            file.truncate(int(value))
    else:
        with open(path, "wb") as file:
            file.write(value)
