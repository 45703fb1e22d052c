#!/usr/bin/env python3
"""generate_mutants.py CORE OUT: a copy of CORE in which every mutant stands behind its number (`gemel::mutant`)."""
import shutil
import sys


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


def edited(source, mutants):
    """The files that hold mutants, by their path below the folder `source`, with every mutant in them."""
    edits, wrong = {}, []
    for number, (file, text, *_) in enumerate(mutants, 1):
        with open(f"{source}/{file}", encoding="utf-8") as whole_file:
            whole = whole_file.read()
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
        with open(f"{source}/{file}", encoding="utf-8") as whole_file:
            text = whole_file.read()
        for at, part, new in sorted(list_, reverse=True):
            text = text[:at] + new + text[at + len(part):]
        yield file, "namespace gemel { extern int mutant; }\n" + text


def main():
    from mutants import MUTANTS

    core, out = sys.argv[1:3]
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(core, out)
    for file, text in edited(core, MUTANTS):
        with open(f"{out}/{file}", "w", encoding="utf-8") as source:
            source.write(text)


if __name__ == "__main__":
    main()
