#!/usr/bin/env python3
"""Goal: a header can be included first, by anybody, and needs nothing before it.
Method: each header is compiled alone, with the options of a source file beside it (compile_commands.json)."""
import concurrent.futures
import json
import os
import shlex
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FACES = ("hosted", "x86_64", "arm64")


def options_by_place(face):
    """For each source, by its name without the end, and for each folder with sources, of one of them: the words of its
    compilation, without its files."""
    tree = f"{TOP}/build/{face}"
    with open(f"{tree}/compile_commands.json", encoding="utf-8") as file:
        entries = json.load(file)
    places = {}
    for entry in entries:
        source = os.path.relpath(os.path.normpath(os.path.join(entry["directory"], entry["file"])), TOP)
        if not source.endswith(".cpp") or source.startswith("build/"):
            continue
        words = shlex.split(entry["command"])
        words = words[1:] if os.path.basename(words[0]) == "ccache" else words
        kept, skip = [], False
        for word in words:
            if skip or word == "-c" or word == entry["file"]:
                skip = False
            elif word in ("-o", "-MF", "-MT", "-MQ"):
                skip = True
            elif word not in ("-MD", "-MMD"):
                kept.append(word)
        places[source.removesuffix(".cpp")] = (entry["directory"], kept)
        # A test's options know more than the headers beside it may.
        if os.path.dirname(source) not in places or not source.endswith("_test.cpp"):
            places[os.path.dirname(source)] = (entry["directory"], kept)
    return places


def nearest(header, places):
    """The options of the header's own source, else of its folder, else of one below the folder's parent, and so on upwards."""
    place = header.removesuffix(".hpp")
    while place:
        if place in places:
            return places[place]
        inside = sorted(name for name in places if name.startswith(place + "/"))
        if inside:
            return places[inside[0]]
        place = os.path.dirname(place)
    return None


def compile_alone(header, directory, words):
    run = subprocess.run(
        words + ["-fsyntax-only", "-w", "-x", "c++", f"{TOP}/{header}"],
        cwd=directory, capture_output=True, text=True, check=False,
    )
    return header, run.returncode, run.stderr


def main():
    listed = subprocess.run(["git", "ls-files", "*.hpp"], cwd=TOP, capture_output=True, text=True, check=True)
    headers = listed.stdout.split()
    by_face = {face: options_by_place(face) for face in FACES}
    failed = passed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = []
        for header in headers:
            face = header.split("/")[1] if header.startswith("arch/") else "hosted"
            options = nearest(header, by_face[face])
            if options is None and face == "hosted":
                face = next((other for other in FACES if nearest(header, by_face[other])), face)
                options = nearest(header, by_face[face])
            if options is None:
                print(f"FAIL {header}: no source file near it is compiled")
                failed += 1
                continue
            jobs.append(pool.submit(compile_alone, header, *options))
        for job in jobs:
            header, status, errors = job.result()
            if status:
                failed += 1
                print(f"FAIL {header} does not compile alone:\n{errors[:1500]}")
            else:
                passed += 1
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed or not passed else 0


sys.exit(main())
