"""The file of `gemel record`, read and written again: sim/record/recording.hpp."""
MASK = (1 << 64) - 1
START = (0x6C62272E07BB0142, 0x62B821756295C58D)
KINDS = ("nothing", "time", "entropy", "wall_clock", "tick", "idle", "typed", "disk_bytes", "disk_failed", "digest",
         "failure", "end", "computed", "frame", "memory_pages", "machine_state", "restart_point", "disk_written")


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


def with_head(data, begin, at, field):
    """The file's head with other bytes at a place of its fields, and a check that is right."""
    fields = data[24:begin]
    fields = fields[:at] + field + fields[at + len(field):]
    high, low = add_bytes(START, fields)
    return data[:16] + (high ^ low).to_bytes(8, "little") + fields


def span(records):
    """When a session's recording begins and ends, in ns of its machine's time."""
    begin = end = 0
    for kind, body in records:
        if kind == "restart_point":
            begin = end = number(body, 8)[0]
        if kind == "time":
            end += number(body, 0)[0]
    return begin, end


def chained(chain, kind, body):
    high, low = add_bytes(add((chain, len(body)), kind), body)
    return high ^ low


def chain_of(head, records):
    """The check of all of it."""
    high, low = add_bytes(START, head)
    chain = high ^ low
    for name, body in records:
        chain = chained(chain, KINDS.index(name), body)
    return chain


def join(head, records):
    """The file, with checks that are right."""
    chain = chain_of(head, [])
    out = bytearray(head)
    for name, body in records:
        kind = KINDS.index(name)
        chain = chained(chain, kind, body)
        out += bytes([kind, chain >> 48 & 0xFF]) + number_bytes(len(body)) + body
    return bytes(out)
