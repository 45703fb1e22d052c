"""A campaign as one static HTML page: totals, rates, how fast new failures come, and each failure with its commands."""
import html
import shlex

from store import is_corpus, strategy_words

STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #1d2530; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 1.5rem; } th { text-align: left; }
td, th { padding: .25rem .6rem; border-bottom: 1px solid #d8dee6; vertical-align: top; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; } code { background: #f2f4f7; padding: .1rem .3rem; }
td.what { white-space: pre-wrap; } .bad { color: #a3212b; } .good { color: #1c6b3c; } svg { background: #f8f9fb; }
"""
WIDTH, HEIGHT, MARGIN = 720, 200, 36


def cell(value, number=False):
    return f'<td class="n">{value}</td>' if number else f"<td>{html.escape(str(value))}</td>"


def table(heads, rows):
    """`heads`: (text, is a number); cells are made by `cell` or are markup already."""
    top = "".join(f'<th class="n">{text}</th>' if number else f"<th>{text}</th>" for text, number in heads)
    return f"<table><tr>{top}</tr>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>"


def bars(title, rows, value, unit):
    """Horizontal bars, one a row, with its number written at its end."""
    most = max([value(row) for row in rows] + [1e-9])
    drawn = []
    for index, row in enumerate(rows):
        y, length = 6 + 24 * index, (WIDTH - 320) * value(row) / most
        drawn.append(
            f'<text x="150" y="{y + 13}" text-anchor="end">{html.escape(row["name"])}</text>'
            f'<rect x="158" y="{y}" width="{max(length, 1):.1f}" height="17" fill="#4a78b5"/>'
            f'<text x="{164 + length:.1f}" y="{y + 13}">{value(row):,.1f} {unit}</text>'
        )
    return f'<h3>{title}</h3><svg width="{WIDTH}" height="{12 + 24 * len(rows)}" font-size="12">{"".join(drawn)}</svg>'


def curve(title, points, x_name, y_name):
    x_most, y_most = max(points[-1][0], 1), max(points[-1][1], 1)
    across, up = WIDTH - 2 * MARGIN, HEIGHT - 2 * MARGIN
    steps, previous = [], None
    for x, y in points:
        at = (MARGIN + across * x / x_most, HEIGHT - MARGIN - up * y / y_most)
        if previous:
            steps.append(f"{at[0]:.1f},{previous[1]:.1f}")
        steps.append(f"{at[0]:.1f},{at[1]:.1f}")
        previous = at
    return (
        f'<h3>{title}</h3><svg width="{WIDTH}" height="{HEIGHT}" font-size="12">'
        f'<polyline fill="none" stroke="#a3212b" stroke-width="2" points="{" ".join(steps)}"/>'
        f'<text x="{MARGIN}" y="{HEIGHT - 10}">0</text><text x="{WIDTH - MARGIN}" y="{HEIGHT - 10}" text-anchor="end">'
        f'{x_most:,} {x_name}</text><text x="{MARGIN}" y="{MARGIN - 10}">{y_most} {y_name}</text></svg>'
    )


def command_of(row):
    words = ["--workload", row["workload"], *strategy_words(row["strategy"]), "--faults", row["faults"]]
    if is_corpus(row["strategy"]):  # a run of a corpus is made from those before it
        return shlex.join(["gemel", "explore", "--strategy", "corpus", *words, "--seeds", f"1..{row['seed']}"])
    return shlex.join(["gemel", "sim", "--seed", str(row["seed"]), *words])


def failures(rows):
    if not rows:
        return '<p class="good">No failure.</p>'
    lines = []
    for row in rows:
        decisions = "-" if row["decisions"] is None else row["decisions"]
        lines.append(
            cell(row["times"], True) + f'<td class="what">{html.escape(row["kind"])} {html.escape(row["what"])}</td>' + cell(row["task"] or "-")
            + cell(f"+{row['time']}s") + cell(decisions, True) + f"<td><code>{html.escape(command_of(row))}</code></td>"
        )
    heads = [("times", True), ("what", False), ("task", False), ("when", False), ("decisions", True), ("again", False)]
    return table(heads, lines)


def other_builds(store, build):
    """What other builds showed that the file knows: no verdict on this one."""
    parts = []
    for other in store.builds():
        if other != build:
            total = store.totals(other)
            parts.append(f"<h3>{other}: {int(total['runs']):,} runs, {int(total['failed'])} failed</h3>")
            parts.append(failures(store.signatures(other)))
    return ["<h2>Other builds</h2>", *parts] if parts else []


def page(store, build, coverage):
    total = store.totals(build)
    seconds = max(total["seconds"], 1e-9)
    word = "bad" if total["failed"] + total["different"] + total["inconclusive"] else "good"
    summary = (
        f'<p>Build {build}.</p><p class="{word}"><b>{int(total["runs"]):,} runs</b>: {int(total["failed"])} failed, {int(total["different"])} different,'
        f' {int(total["inconclusive"])} inconclusive, of {len(store.signatures(build))} kinds. {total["done"]} of {total["units"]} units'
        f' done, {total["errors"]} could not be run. {total["runs"] / seconds:,.1f} runs and {total["events"] / seconds:,.0f}'
        f' events a second of one processor; {total["virtual_s"] / seconds:,.1f} times real time.</p>'
    )
    rates = [(name, store.by(name, build)) for name in ("workload", "strategy")]
    parts = [summary, "<h2>Failures</h2>", failures(store.signatures(build)), "<h2>Rates</h2>"]
    for name, rows in rates:
        if rows:
            parts.append(bars(f"Runs a second, by {name}", rows, lambda row: row["runs"] / max(row["seconds"], 1e-9), "/s"))
            parts.append(bars(f"Failures in a thousand runs, by {name}", rows, lambda row: 1000 * row["failed"] / max(row["runs"], 1), ""))
    parts.append(curve("Kinds of failure found", store.discovery(build), "runs", "kinds"))
    for (workload, strategy), grown in store.growth(build).items():
        points = [(0, 0)] + [(runs, covered) for runs, covered, _ in grown]
        parts.append(curve(f"Covered by {html.escape(strategy)} of {html.escape(workload)}", points, "runs", "points"))
    if coverage:
        parts.append("<h2>Sites reached</h2>")
        parts.append(table([("times", True), ("kind", False), ("site", False), ("where", False)],
                           [cell(f"{times:,}", True) + cell(kind) + cell(site) + cell(where) for times, kind, site, where in coverage]))
    for row in store.errors(build):
        parts.append(f'<p class="bad">{html.escape(row["workload"])} {row["first"]}..{row["last"]}: {html.escape(row["error"])}</p>')
    parts += other_builds(store, build)
    return f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Gemel campaign</title><style>{STYLE}</style><h1>Campaign</h1>{"".join(parts)}</html>\n'
