#!/usr/bin/env python3
"""generate.py CORE OUT: a copy of CORE in which every mutant stands behind its number (`gemel::mutant`)."""
import shutil
import sys

from mutants import MUTANTS

def split(text):
    """The text as it stands in the source, where its marked part lies, and what the part becomes."""
    # An expression may hold `||` or `<<` itself: the last `||` divides, the first `<<` and the last `>>` enclose.
    if "<~" in text:
        before, rest = text.split("<~", 1)
        part, after = rest.rsplit("~>", 1)
        return before + part + after, len(before), part, None
    before, rest = text.split("<<", 1)
    inside, after = rest.rsplit(">>", 1)
    this, that = inside.rsplit("||", 1)
    return before + this + after, len(before), this, that


def main():
    core, out = sys.argv[1:3]
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(core, out)
    edits, wrong = {}, []
    for number, (file, text, _) in enumerate(MUTANTS, 1):
        with open(f"{core}/{file}", encoding="utf-8") as source:
            whole = source.read()
        plain, offset, part, that = split(text)
        if whole.count(plain) != 1:
            wrong.append(f"mutant {number}: its text stands {whole.count(plain)} times in {file}:\n{plain}")
            continue
        new = f"if (::gemel::mutant != {number}) {{ {part} }}" if that is None else \
            f"(::gemel::mutant == {number} ? ({that}) : ({part}))"
        edits.setdefault(file, []).append((whole.index(plain) + offset, part, new))
    if wrong:
        sys.exit("\n".join(wrong))
    for file, list_ in edits.items():
        with open(f"{core}/{file}", encoding="utf-8") as source:
            text = source.read()
        for at, part, new in sorted(list_, reverse=True):
            text = text[:at] + new + text[at + len(part):]
        with open(f"{out}/{file}", "w", encoding="utf-8") as source:
            source.write("namespace gemel { extern int mutant; }\n" + text)


if __name__ == "__main__":
    main()
