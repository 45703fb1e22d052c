"""The file of `gemel record`, read and written again: sim/record/recording.hpp."""
MASK = (1 << 64) - 1
START = (0x6C62272E07BB0142, 0x62B821756295C58D)
KINDS = ("nothing", "time", "entropy", "wall_clock", "tick", "idle", "typed", "disk_bytes", "disk_failed", "digest",
         "failure", "end")


def add(state, word):
    high, low = state
    high = (high ^ word) * 0x9FB21C651E98DF25 & MASK
    high ^= high >> 32
    low = (low + (word ^ high >> 7)) * 0xD6E8FEB86659FD93 & MASK
    return high, low ^ low >> 29


def add_bytes(state, data):
    whole = len(data) // 8 * 8
    for at in range(0, whole, 8):
        state = add(state, int.from_bytes(data[at:at + 8], "little"))
    word = len(data) - whole
    for byte in data[whole:]:
        word = (word << 8 | byte) & MASK
    return add(state, word)


def number(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def number_bytes(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


def split(data):
    """Where the records begin, and [kind, bytes] of each."""
    assert data[:8] == b"GEMELR01", data[:8]
    begin = at = 24 + int.from_bytes(data[8:16], "little")
    records = []
    while at < len(data) and data[at] != 0:
        length, body = number(data, at + 2)
        records.append([KINDS[data[at]], data[body:body + length]])
        at = body + length
    return begin, records


def join(head, records):
    """The file, with checks that are right."""
    high, low = add_bytes(START, head)
    chain = high ^ low
    out = bytearray(head)
    for name, body in records:
        kind = KINDS.index(name)
        high, low = add_bytes(add((chain, len(body)), kind), body)
        chain = high ^ low
        out += bytes([kind, chain >> 48 & 0xFF]) + number_bytes(len(body)) + body
    return bytes(out)
