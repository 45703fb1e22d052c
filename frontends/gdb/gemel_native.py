"""Gemel in gdb on a native image (QEMU's stub): which program the processor is in.

    program                 finds it by what stands at $pc, and loads its symbols where it lies

A program's file begins somewhere else in every run (docs/decisions/0028-places-by-chance.md), but at a
multiple of 2 MiB, so the low bits of $pc say which page of a file to compare.
"""
import glob
import os
import struct

import gdb

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FACES = {"i386:x86-64": "x86_64", "aarch64": "arm64"}
REGION_BYTES, PAGE_BYTES = 2 << 20, 4096
LOAD, EXECUTE = 1, 1


def text_of(path):
    """Where a program's text begins, from its base, and its bytes."""
    with open(path, "rb") as file:
        data = file.read()
    at, count = struct.unpack_from("<Q", data, 32)[0], struct.unpack_from("<H", data, 56)[0]
    for number in range(count):
        kind, flags, offset, address, _, size = struct.unpack_from("<IIQQQQ", data, at + number * 56)
        if kind == LOAD and flags & EXECUTE:
            return address, data[offset:offset + size]
    return 0, b""


def places(memory, page, programs):
    """(program, base) where the page at address `page` holds what the program's file has there."""
    for path in programs:
        begin, text = text_of(path)
        for at in range(page % REGION_BYTES, len(text), REGION_BYTES):
            there = text[at:at + PAGE_BYTES]
            if memory[:len(there)] == there:
                yield path, page - at - begin


class Program(gdb.Command):
    """Find which program of the native image the processor is in, and load its symbols."""

    def __init__(self):
        super().__init__("program", gdb.COMMAND_FILES)

    def invoke(self, argument, from_tty):
        face = FACES.get(gdb.selected_frame().architecture().name())
        if not face:
            raise gdb.GdbError("this is no machine of Gemel's native images")
        counter = int(gdb.parse_and_eval("(unsigned long)$pc"))
        page = counter // PAGE_BYTES * PAGE_BYTES
        memory = gdb.selected_inferior().read_memory(page, PAGE_BYTES).tobytes()
        found = list(places(memory, page, sorted(glob.glob(f"{ROOT}/build/{face}/programs/*.elf"))))
        if not found:
            raise gdb.GdbError(f"no program of build/{face} has what stands at {counter:#x}: "
                               "this is the kernel, or another build")
        if len(found) > 1:
            names = " ".join(os.path.basename(path) for path, _ in found)
            raise gdb.GdbError(f"several programs have the same there ({names}): step on, and ask again")
        path, base = found[0]
        gdb.execute(f"add-symbol-file {path} -o {base:#x}", to_string=True)
        print(f"{os.path.basename(path)} at {base:#x}")


Program()
