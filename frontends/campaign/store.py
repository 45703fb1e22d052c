"""What a campaign knows, in one SQLite file: units of work, their verdicts, and failures folded by signature.

Results merge by union: a unit's verdict is the same wherever and whenever it ran, so recording it twice changes
nothing, and any number of files can be merged in any order. What is told is told of one build; a file may hold many.
"""
import re
import sqlite3

SCHEMA = """
CREATE TABLE IF NOT EXISTS unit (
    build TEXT NOT NULL, workload TEXT NOT NULL, strategy TEXT NOT NULL, faults TEXT NOT NULL,
    first INTEGER NOT NULL, last INTEGER NOT NULL,
    runs INTEGER, failed INTEGER, different INTEGER, inconclusive INTEGER,
    seconds REAL, events INTEGER, virtual_s REAL, error TEXT, base INTEGER NOT NULL DEFAULT 0, l1s BLOB,
    PRIMARY KEY (build, workload, strategy, faults, first, last)
);
CREATE TABLE IF NOT EXISTS failure (
    build TEXT NOT NULL, workload TEXT NOT NULL, strategy TEXT NOT NULL, faults TEXT NOT NULL, seed INTEGER NOT NULL,
    kind TEXT NOT NULL, signature TEXT NOT NULL, what TEXT NOT NULL, task TEXT, time TEXT, event INTEGER, l1 TEXT,
    journal BLOB, decisions INTEGER, shrunk BLOB,
    PRIMARY KEY (build, workload, strategy, faults, seed)
);
CREATE TABLE IF NOT EXISTS kept (
    build TEXT NOT NULL, workload TEXT NOT NULL, strategy TEXT NOT NULL, faults TEXT NOT NULL, run INTEGER NOT NULL,
    journal BLOB, points BLOB,
    PRIMARY KEY (build, workload, strategy, faults, run)
);
CREATE TABLE IF NOT EXISTS growth (
    build TEXT NOT NULL, workload TEXT NOT NULL, strategy TEXT NOT NULL, faults TEXT NOT NULL, runs INTEGER NOT NULL,
    kept INTEGER NOT NULL, points INTEGER NOT NULL,
    PRIMARY KEY (build, workload, strategy, faults, runs)
);
"""
CAMPAIGN = ("build", "workload", "strategy", "faults")
UNIT_KEY = (*CAMPAIGN, "first", "last")
UNIT = (*UNIT_KEY, "base")  # of a corpus: the number of the first run of the unit's generation; 0: no corpus
VERDICT = ("runs", "failed", "different", "inconclusive", "seconds", "events", "virtual_s", "error", "l1s")
L1_BYTES = 8  # of each run that passed, in l1s: two runs with the same L1 are one
LATER = {"base": "INTEGER NOT NULL DEFAULT 0", "l1s": "BLOB"}  # columns that older files lack
KEPT = (*CAMPAIGN, "run", "journal", "points")
GROWTH = (*CAMPAIGN, "runs", "kept", "points")
FAILURE = ("build", "workload", "strategy", "faults", "seed", "kind", "signature", "what", "task", "time", "event", "l1", "journal")


class StoreError(Exception):
    """A file that is no campaign of ours, with what to do about it."""


def in_ways(strategy, cpus, preempts):
    """A unit's strategy says on how many processors, too, and whether threads are stopped inside their code:
    `pct@2+preempt`. What is usual is not mentioned."""
    return strategy + ("" if cpus == 1 else f"@{cpus}") + ("+preempt" if preempts else "")


def of_corpus(campaign_seed):
    """The strategy of a corpus says of which: `corpus#7`. The first is not mentioned."""
    return "corpus" if campaign_seed == 0 else f"corpus#{campaign_seed}"


def is_corpus(strategy):
    return re.split("[#@+]", strategy)[0] == "corpus"


def strategy_words(strategy):
    """The same as words for gemel sim; of a corpus, besides its folder."""
    rest, _, preempts = strategy.partition("+")
    name, _, cpus = rest.partition("@")
    words = (["--cpus", cpus] if cpus else []) + (["--preempt"] if preempts else [])
    if is_corpus(strategy):
        return [*words, "--campaign-seed", name.partition("#")[2] or "0"]
    return ["--strategy", name, *words]


OF_CAMPAIGN = " AND ".join(f"{name} = ?" for name in CAMPAIGN)


def key_of(campaign):
    return tuple(campaign[name] for name in CAMPAIGN)


class Store:
    def __init__(self, path):
        self.path = path
        try:
            self.base = sqlite3.connect(path, timeout=30)
            self.base.row_factory = sqlite3.Row
            self.base.execute("PRAGMA journal_mode=WAL")
            self.base.executescript(SCHEMA)
            if self.columns("unit").issuperset(UNIT_KEY):
                for name in LATER.keys() - self.columns("unit"):
                    self.base.execute(f"ALTER TABLE unit ADD COLUMN {name} {LATER[name]}")
            for table, names in (("unit", UNIT + VERDICT), ("failure", FAILURE), ("kept", KEPT), ("growth", GROWTH)):
                found = self.columns(table)
                if not found.issuperset(names):
                    raise StoreError(f"{path} holds something else than a campaign: name another file with --store")
        except sqlite3.DatabaseError as error:
            raise StoreError(f"{path}: {error}: name another file with --store") from error

    def columns(self, table):
        return {row["name"] for row in self.base.execute(f"PRAGMA table_info({table})")}

    def plan(self, units):
        """Adds units that are not there yet."""
        places = ", ".join("?" * len(UNIT))
        with self.base:
            self.base.executemany(
                f"INSERT OR IGNORE INTO unit ({', '.join(UNIT)}) VALUES ({places})",
                [tuple(unit[key] for key in UNIT) for unit in units],
            )

    def record(self, verdict):
        """A unit's verdict with its failures and what it kept, in one transaction. Twice is once."""
        names = UNIT + VERDICT
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
            for kept in verdict["kept"]:
                self.base.execute(
                    f"INSERT OR IGNORE INTO kept ({', '.join(KEPT)}) VALUES ({', '.join('?' * len(KEPT))})",
                    tuple({**verdict, **kept}[name] for name in KEPT),
                )

    def merge(self, other):
        """Everything another campaign's file knows. A verdict is never replaced by a unit that has none."""
        source = Store(other)
        names = UNIT + VERDICT
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
            self.merge_corpus(source)

    def merge_corpus(self, source):
        """What was kept, but for what either of the two has left out."""
        for table, names in (("kept", KEPT), ("growth", GROWTH)):
            self.base.executemany(
                f"INSERT OR IGNORE INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})",
                [tuple(row) for row in source.base.execute(f"SELECT {', '.join(names)} FROM {table}")],
            )
        self.base.commit()
        for row in source.base.execute(f"SELECT {', '.join(CAMPAIGN)}, run FROM kept WHERE journal IS NULL"):
            self.leave_out(dict(row), [row["run"]])

    def waiting(self, build):
        """The build's units without a verdict; of a corpus, those of the first generation that is not complete. One that could not
        be run is tried again by the next campaign."""
        same = " AND ".join(f"earlier.{name} = unit.{name}" for name in CAMPAIGN)
        rows = self.base.execute(
            f"SELECT {', '.join(UNIT)} FROM unit WHERE build = ? AND runs IS NULL AND NOT EXISTS (SELECT 1 FROM unit earlier"
            f" WHERE earlier.runs IS NULL AND earlier.base < unit.base AND {same})"
            " ORDER BY first, workload, strategy", (build,)
        )
        return (dict(row) for row in rows)

    def is_waiting(self, campaign):
        """Whether some unit of it has no verdict."""
        found = self.base.execute(f"SELECT 1 FROM unit WHERE {OF_CAMPAIGN} AND runs IS NULL LIMIT 1", key_of(campaign))
        return found.fetchone() is not None

    # --- the corpus ---

    def corpora(self):
        """The campaigns with a corpus of which every unit has a verdict, with how many runs these are."""
        rows = self.base.execute(
            f"SELECT {', '.join(CAMPAIGN)}, max(last) runs FROM unit WHERE base != 0 GROUP BY {', '.join(CAMPAIGN)}"
            " HAVING count(runs) = count(*)"
        )
        return [dict(row) for row in rows]

    def kept(self, campaign, before):
        """(run, journal, points) of what is kept of the runs before that number."""
        rows = self.base.execute(
            f"SELECT run, journal, points FROM kept WHERE {OF_CAMPAIGN} AND run < ? AND journal IS NOT NULL ORDER BY run",
            (*key_of(campaign), before),
        )
        return [tuple(row) for row in rows]

    def leave_out(self, campaign, runs):
        """What covers nothing more. That it was there is remembered, so that a merge does not bring it back."""
        with self.base:
            self.base.executemany(
                f"UPDATE kept SET journal = NULL, points = NULL WHERE {OF_CAMPAIGN} AND run = ?",
                [(*key_of(campaign), run) for run in runs],
            )

    def grow(self, campaign, runs, kept, points):
        with self.base:
            self.base.execute(
                f"INSERT OR REPLACE INTO growth ({', '.join(GROWTH)}) VALUES ({', '.join('?' * len(GROWTH))})",
                (*key_of(campaign), runs, kept, points),
            )

    def growth(self, build):
        """Of each corpus (workload, strategy): (runs, points, kept) in order."""
        found = {}
        rows = self.base.execute(
            "SELECT workload, strategy, runs, points, kept FROM growth WHERE build = ? ORDER BY workload, strategy, runs", (build,)
        )
        for row in rows:
            found.setdefault((row["workload"], row["strategy"]), []).append((row["runs"], row["points"], row["kept"]))
        return found

    # --- what is told ---

    def next_seed(self, build, workload, strategy, faults):
        row = self.base.execute(
            "SELECT max(last) FROM unit WHERE build=? AND workload=? AND strategy=? AND faults=?",
            (build, workload, strategy, faults),
        ).fetchone()
        return (row[0] or 0) + 1

    def to_shrink(self, build):
        """One failure of each signature that has a journal and was not shrunk."""
        return self.base.execute(
            "SELECT *, min(seed) FROM failure WHERE build = ? AND journal IS NOT NULL AND signature NOT IN"
            " (SELECT signature FROM failure WHERE build = ? AND decisions IS NOT NULL) GROUP BY signature", (build, build)
        ).fetchall()

    def shrunk(self, failure, decisions, journal):
        with self.base:
            self.base.execute(
                "UPDATE failure SET decisions=?, shrunk=? WHERE build=? AND workload=? AND strategy=? AND faults=? AND seed=?",
                (decisions, journal, *(failure[name] for name in ("build", "workload", "strategy", "faults", "seed"))),
            )

    def distinct(self, where="1"):
        """Runs that passed and differ in L1, whatever they are called: by workload, each run counted for one. Units of
        older files do not tell."""
        seen, found = set(), {}
        for workload, l1s in self.base.execute(f"SELECT workload, l1s FROM unit WHERE l1s IS NOT NULL AND {where} ORDER BY rowid"):
            runs = {l1s[at : at + L1_BYTES] for at in range(0, len(l1s), L1_BYTES)} - seen
            seen |= runs
            found[workload] = found.get(workload, 0) + len(runs)
        return found

    def builds(self):
        """All that the file knows, the newest last."""
        return [row["build"] for row in self.base.execute("SELECT build FROM unit GROUP BY build ORDER BY max(rowid)")]

    def totals(self, build):
        return self.base.execute(
            "SELECT count(*) units, count(runs) done, total(runs) runs, total(failed) failed, total(different) different,"
            " total(inconclusive) inconclusive, total(seconds) seconds, total(events) events, total(virtual_s) virtual_s,"
            " count(error) errors FROM unit WHERE build = ?", (build,)
        ).fetchone()

    def signatures(self, build):
        """Each with its first failure."""
        return self.base.execute(
            "SELECT signature, kind, count(*) times, min(seed) seed, workload, strategy, faults, what, task, time, l1, (SELECT"
            " max(decisions) FROM failure each WHERE each.build = failure.build AND each.signature = failure.signature) decisions"
            " FROM failure WHERE build = ? GROUP BY signature ORDER BY times DESC, signature", (build,)
        ).fetchall()

    def errors(self, build):
        return self.base.execute("SELECT * FROM unit WHERE build = ? AND error IS NOT NULL", (build,)).fetchall()

    def by(self, column, build):
        return self.base.execute(
            f"SELECT {column} name, total(runs) runs, total(failed + different + inconclusive) failed, total(seconds) seconds,"
            " total(events) events, total(virtual_s) virtual_s FROM unit WHERE build = ? AND runs IS NOT NULL"
            f" GROUP BY {column} ORDER BY 1", (build,)
        ).fetchall()

    def discovery(self, build):
        """(runs so far, signatures so far) in the order of seeds: how fast new failures still come."""
        firsts = [
            row[0] for row in self.base.execute("SELECT min(seed) FROM failure WHERE build = ? GROUP BY signature ORDER BY 1", (build,))
        ]
        spans = self.base.execute(
            "SELECT last, total(runs) FROM unit WHERE build = ? AND runs IS NOT NULL GROUP BY last ORDER BY last", (build,)
        )
        runs, points = 0, [(0, 0)]
        for last, more in spans:
            runs += int(more)
            points.append((runs, sum(1 for seed in firsts if seed <= last)))
        return points
