"""What a campaign knows, in one SQLite file: units of work, their verdicts, and failures folded by signature.

Results merge by union: a unit's verdict is the same wherever and whenever it ran, so recording it twice changes
nothing, and any number of files can be merged in any order.
"""
import re
import sqlite3

SCHEMA = """
CREATE TABLE IF NOT EXISTS unit (
    build TEXT NOT NULL, workload TEXT NOT NULL, strategy TEXT NOT NULL, faults TEXT NOT NULL,
    first INTEGER NOT NULL, last INTEGER NOT NULL,
    runs INTEGER, failed INTEGER, different INTEGER, inconclusive INTEGER,
    seconds REAL, events INTEGER, virtual_s REAL, error TEXT,
    PRIMARY KEY (build, workload, strategy, faults, first, last)
);
CREATE TABLE IF NOT EXISTS failure (
    build TEXT NOT NULL, workload TEXT NOT NULL, strategy TEXT NOT NULL, faults TEXT NOT NULL, seed INTEGER NOT NULL,
    kind TEXT NOT NULL, signature TEXT NOT NULL, what TEXT NOT NULL, task TEXT, time TEXT, event INTEGER, l1 TEXT,
    journal BLOB, decisions INTEGER, shrunk BLOB,
    PRIMARY KEY (build, workload, strategy, faults, seed)
);
"""
UNIT_KEY = ("build", "workload", "strategy", "faults", "first", "last")
VERDICT = ("runs", "failed", "different", "inconclusive", "seconds", "events", "virtual_s", "error")
FAILURE = ("build", "workload", "strategy", "faults", "seed", "kind", "signature", "what", "task", "time", "event", "l1", "journal")


class StoreError(Exception):
    """A file that is no campaign of ours, with what to do about it."""


def with_cpus(strategy, cpus):
    """A unit's strategy says on how many processors, too: `pct@2`. One is not mentioned."""
    return strategy if cpus == 1 else f"{strategy}@{cpus}"


def strategy_words(strategy):
    """The same as words for gemel sim."""
    name, _, cpus = strategy.partition("@")
    return ["--strategy", name, *(["--cpus", cpus] if cpus else [])]


def signature_of(check, what):
    """The same for failures that differ in numbers alone."""
    return f"{check}: " + re.sub(r"0x[0-9a-fA-F]+|\d+", "N", what)


class Store:
    def __init__(self, path):
        self.path = path
        try:
            self.base = sqlite3.connect(path, timeout=30)
            self.base.row_factory = sqlite3.Row
            self.base.execute("PRAGMA journal_mode=WAL")
            self.base.executescript(SCHEMA)
            for table, names in (("unit", UNIT_KEY + VERDICT), ("failure", FAILURE)):
                found = {row["name"] for row in self.base.execute(f"PRAGMA table_info({table})")}
                if not found.issuperset(names):
                    raise StoreError(f"{path} holds something else than a campaign: name another file with --store")
        except sqlite3.DatabaseError as error:
            raise StoreError(f"{path}: {error}: name another file with --store") from error

    def plan(self, units):
        """Adds units that are not there yet."""
        places = ", ".join("?" * len(UNIT_KEY))
        with self.base:
            self.base.executemany(
                f"INSERT OR IGNORE INTO unit ({', '.join(UNIT_KEY)}) VALUES ({places})",
                [tuple(unit[key] for key in UNIT_KEY) for unit in units],
            )

    def record(self, verdict):
        """A unit's verdict with its failures, in one transaction. Twice is once."""
        names = UNIT_KEY + VERDICT
        with self.base:
            self.base.execute(
                f"INSERT OR REPLACE INTO unit ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})",
                tuple(verdict.get(name) for name in names),
            )
            for failure in verdict["failures"]:
                self.base.execute(
                    f"INSERT OR IGNORE INTO failure ({', '.join(FAILURE)}) VALUES ({', '.join('?' * len(FAILURE))})",
                    tuple(failure.get(name) for name in FAILURE),
                )

    def merge(self, other):
        """Everything another campaign's file knows. A verdict is never replaced by a unit that has none."""
        source = Store(other)
        names = UNIT_KEY + VERDICT
        with self.base:
            for row in source.base.execute(f"SELECT {', '.join(names)} FROM unit"):
                verb = "INSERT OR IGNORE" if row["runs"] is None else "INSERT OR REPLACE"
                self.base.execute(
                    f"{verb} INTO unit ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})", tuple(row)
                )
            columns = FAILURE + ("decisions", "shrunk")
            for row in source.base.execute(f"SELECT {', '.join(columns)} FROM failure"):
                self.base.execute(
                    f"INSERT OR IGNORE INTO failure ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})",
                    tuple(row),
                )

    def waiting(self, limit):
        """Units without a verdict. One that could not be run is tried again by the next campaign."""
        rows = self.base.execute(
            f"SELECT {', '.join(UNIT_KEY)} FROM unit WHERE runs IS NULL ORDER BY first, workload, strategy LIMIT ?", (limit,)
        )
        return [dict(row) for row in rows]

    def next_seed(self, build, workload, strategy, faults):
        row = self.base.execute(
            "SELECT max(last) FROM unit WHERE build=? AND workload=? AND strategy=? AND faults=?",
            (build, workload, strategy, faults),
        ).fetchone()
        return (row[0] or 0) + 1

    def to_shrink(self):
        """One failure of each signature that has a journal and was not shrunk."""
        return self.base.execute(
            "SELECT *, min(seed) FROM failure WHERE journal IS NOT NULL GROUP BY signature HAVING max(decisions) IS NULL"
        ).fetchall()

    def shrunk(self, failure, decisions, journal):
        with self.base:
            self.base.execute(
                "UPDATE failure SET decisions=?, shrunk=? WHERE build=? AND workload=? AND strategy=? AND faults=? AND seed=?",
                (decisions, journal, *(failure[name] for name in ("build", "workload", "strategy", "faults", "seed"))),
            )

    def totals(self):
        return self.base.execute(
            "SELECT count(*) units, count(runs) done, total(runs) runs, total(failed) failed, total(different) different,"
            " total(inconclusive) inconclusive, total(seconds) seconds, total(events) events, total(virtual_s) virtual_s,"
            " count(error) errors FROM unit"
        ).fetchone()

    def signatures(self):
        return self.base.execute(
            "SELECT signature, kind, count(*) times, min(seed) seed, workload, strategy, faults, what, task, time, l1,"
            " max(decisions) decisions FROM failure GROUP BY signature ORDER BY times DESC, signature"
        ).fetchall()

    def errors(self):
        return self.base.execute("SELECT * FROM unit WHERE error IS NOT NULL").fetchall()

    def by(self, column):
        return self.base.execute(
            f"SELECT {column} name, total(runs) runs, total(failed + different + inconclusive) failed, total(seconds) seconds,"
            f" total(events) events, total(virtual_s) virtual_s FROM unit WHERE runs IS NOT NULL GROUP BY {column} ORDER BY 1"
        ).fetchall()

    def discovery(self):
        """(runs so far, signatures so far) in the order of seeds: how fast new failures still come."""
        firsts = [row[0] for row in self.base.execute("SELECT min(seed) FROM failure GROUP BY signature ORDER BY 1")]
        spans = self.base.execute("SELECT last, total(runs) FROM unit WHERE runs IS NOT NULL GROUP BY last ORDER BY last")
        runs, points = 0, [(0, 0)]
        for last, more in spans:
            runs += int(more)
            points.append((runs, sum(1 for seed in firsts if seed <= last)))
        return points
