"""The page of a report: one file, without scripts, that loads nothing from the network.

Each `_render_*` makes one section; it is empty where the run has no data for it.
"""

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from urllib.parse import quote

from selfplay.batch.progress.figures import (
    format_count,
    format_dollars,
    format_duration,
    format_share,
    format_share_of,
    label_of,
    outcome_label,
)
from selfplay.batch.progress.results import UNGRADED, Outcomes, reused_share
from selfplay.config import RunConfig
from selfplay.core.trace import StopReason
from selfplay.report.markup import Html, escape, join, table, tag, text_tag
from selfplay.report.plots import BarPart, PlotBar, draw_bars, draw_curves, draw_histogram, make_outcome_parts
from selfplay.report.report_data import FailureExample, ReportData

CONTENT_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""Forbids the browser to load anything, whatever the texts of a run hold."""


def render_page(data: ReportData, beside: Path) -> bytes:
    """The report as HTML in UTF-8. Links to journals are relative to the folder `beside`, where it will lie."""
    totals = data.totals
    state = "is being played" if totals.is_running else totals.reason or "nobody plays now"
    body = [
        text_tag("h1", data.folder.root.resolve().name),
        text_tag("p", f"A run of selfplay as of {totals.at}; {state}.", class_="soft"),
        _render_tiles(data),
    ]
    for title, content in (
        ("Funnel", _render_funnel(data)),
        ("Outcomes", _render_outcomes(data)),
        ("The search", _render_search(data)),
        ("Tokens, money, time", join(_render_cost(data), _render_progress(data))),
        ("Failures", _render_failures(data, beside)),
        ("Workers", _render_workers(data)),
        ("Settings", _render_settings(data)),
    ):
        if content:
            body += [text_tag("h2", title), content]
    return ("<!doctype html>\n" + _render_html(data.folder.root.resolve().name, body)).encode("utf-8", "replace")


def _render_html(title: str, body: list[Html]) -> Html:
    style = Html(files("selfplay.report").joinpath("style.css").read_text("utf-8"))
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=CONTENT_POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        text_tag("title", f"{title}: a run of selfplay"),
        tag("style", style),
    )
    return tag("html", head, tag("body", *body), lang="en")


POINTS = 200
"""Of a curve."""
MAX_GROUPS = 30
"""Bars of a plot; further groups are left to the table."""
GRADES = ("none", "symbol", "module", "file_name", "path", UNGRADED)
"""Leak grades, the least first."""


def _render_tiles(data: ReportData) -> Html:
    """The figures that one looks for first."""
    totals = data.totals
    results = totals.results
    tiles = [
        (f"{totals.units.all:,}", "attempts at tasks"),
        (format_share(results.found_share), f"found all, of {results.units:,} that ended"),
        (f"{results.steps:,}", "steps of the player"),
        (_format_each(results.hints, results.episodes), "hints per episode"),
        (format_count(totals.usage.total_tokens), "tokens" + (", about" if totals.usage.is_approximate else "")),
        (format_share(reused_share(totals.usage)), "of the input reused"),
        (format_dollars(totals.cost_usd), "in all"),
        (format_dollars(results.cost_per_found_usd), "for each found"),
    ]
    return tag(
        "div",
        *(tag("div", text_tag("b", big), text_tag("span", small), class_="tile") for big, small in tiles),
        class_="tiles",
    )


def _render_funnel(data: ReportData) -> Html:
    """How many are left after each stage, from the tasks to training rows."""
    units, results = data.totals.units, data.totals.results
    usable = units.all - units.unusable
    stages = [
        ("attempts at tasks", units.all),
        ("usable", usable),
        ("begun", usable - units.waiting),
        ("ended", units.ended),
        ("found", results.found),
    ]
    plots = [_render_stages("The run: what is left after each stage", stages, "attempts")]
    if data.funnel is not None:
        left = [("all", data.funnel.traces), *((stage.name, stage.left) for stage in data.funnel.stages)]
        plots.append(_render_stages("Cleaning: what is left after each stage", left, "traces"))
    return join(*plots)


def _render_stages(title: str, stages: list[tuple[str, int]], axis: str) -> Html:
    rows = [
        PlotBar(name, (BarPart(number),), f"{number:,} ({format_share_of(number, stages[0][1])})")
        for name, number in stages
    ]
    return draw_bars(title, rows, axis, is_wide=True)


def _render_outcomes(data: ReportData) -> Html:
    """How units ended, all together and by kind."""
    results = data.totals.results
    if not results.units:
        return text_tag("p", "Nothing has ended yet.", class_="soft")
    rows = [
        PlotBar(outcome_label(reason), (BarPart(n, str(reason)),), f"{n:,} ({format_share_of(n, results.units)})")
        for reason, n in results.outcomes.items()
    ]
    targets = {str(key): counts for key, counts in results.targets.items()}
    grades = {label_of(g): results.grades[g] for g in (*GRADES, *results.grades) if g in results.grades}
    parts = [draw_bars("Outcomes", rows, "attempts")]
    parts += [
        _render_shares(title, groups)
        for title, groups in (
            ("By leak grade: what of a target the task names", grades),
            ("By number of targets", targets),
            ("With hints and without", results.strata),
            ("By repository", results.repos),
        )
        if groups
    ]
    note = text_tag(
        "p", "Colours are those of the first plot; behind each bar stands the share that was found.", class_="soft"
    )
    return join(tag("div", *parts, class_="pair"), note)


def _render_shares(title: str, groups: Mapping[str, Outcomes]) -> Html:
    rows: list[PlotBar] = []
    for name, counts in list(groups.items())[:MAX_GROUPS]:
        units = sum(counts.values())
        share = f"{format_share_of(counts.get(StopReason.FOUND, 0), units)} of {units:,}"
        rows.append(PlotBar(name, make_outcome_parts(counts), share))
    return draw_bars(title, rows, "share of attempts", is_share=True)


def _render_search(data: ReportData) -> Html:
    """Steps, hints, tools, verdicts."""
    results = data.totals.results
    if not results.episodes:
        return Html("")
    parts: list[Html] = []
    if results.steps_to_found:
        parts.append(draw_histogram("Steps until all was found", results.steps_to_found, "steps", "attempts"))
    parts.append(draw_histogram("Hints per episode", results.hints_per_episode, "hints"))
    if results.tools:
        parts.append(_render_counts("Calls by tool", results.tools, "calls"))
    if results.qualities:
        parts.append(
            _render_counts(
                "The supervisor's verdicts", {str(quality): n for quality, n in results.qualities.items()}, "steps"
            )
        )
    summary = (
        f"{results.steps:,} steps, {results.hints:,} hints; the gate sent {results.refused:,} proposals back; "
        f"{results.missing_verdicts:,} steps have no verdict although one was asked for. "
        f"{results.targets_found:,} of {results.targets_in_all:,} targets were found."
    )
    return join(text_tag("p", summary), tag("div", *parts, class_="pair"))


def _render_counts(title: str, counts: Mapping[str, int], axis: str) -> Html:
    whole = sum(counts.values())
    rows = [PlotBar(str(k), (BarPart(n),), f"{n:,} ({format_share_of(n, whole)})") for k, n in counts.items()]
    return draw_bars(title, rows[:MAX_GROUPS], axis)


def _render_cost(data: ReportData) -> Html:
    """Tokens, money, time."""
    totals = data.totals
    results, usage = totals.results, totals.usage
    rows = [
        ("input tokens", f"{usage.input_tokens:,}"),
        ("of these reused from a prefix cache, as servers say", format_share(reused_share(usage))),
        ("of these sent before by the same seat: could be reused", format_share(results.reusable_share)),
        ("output tokens", f"{usage.output_tokens:,}"),
        ("model calls", f"{results.calls:,}"),
        ("attempts at calls that failed and were made again", f"{results.retries:,}"),
        ("seconds in calls and tools, all episodes together", format_duration(results.seconds)),
        ("money", format_dollars(totals.cost_usd)),
        ("money per attempt that ended", _format_dollars_each(results.cost_usd, results.units)),
        ("money per attempt that found all", format_dollars(results.cost_per_found_usd)),
    ]
    if data.funnel is not None:
        cleaning = data.funnel.spent.usd
        each = _format_dollars_each(totals.cost_usd + cleaning, data.funnel.rows)
        rows.append(("money for models that were asked while cleaning", format_dollars(cleaning)))
        rows.append(("money per training row, cleaning included", each))
    notes = [text_tag("p", _describe_unpriced(totals.unpriced), class_="soft")] if totals.unpriced else []
    if usage.is_approximate:
        notes.append(text_tag("p", "Servers did not say all token counts; the rest is estimated.", class_="soft"))
    return join(table(("", "so far"), list(rows)), *notes, tag("div", *_render_spread(data), class_="pair"))


def _describe_unpriced(seats: tuple[str, ...]) -> str:
    return f"Nobody said what the calls of the {' and the '.join(seats)} cost: they are not in the money."


def _render_spread(data: ReportData) -> Iterator[Html]:
    """Histograms of what units took."""
    tokens: Counter[int] = Counter()
    cents: Counter[int] = Counter()
    for line in data.units.values():
        if line.outcome == "played":
            tokens[round(sum(e.usage.total_tokens for e in line.episodes) / 1000)] += 1
            cents[round(sum(e.cost_usd for e in line.episodes) * 1000)] += 1
    if tokens:
        yield draw_histogram("Tokens per attempt", tokens, "thousand tokens", "attempts")
    if any(cents):
        yield draw_histogram("Money per attempt", cents, "thousandths of a US dollar", "attempts")


def _render_progress(data: ReportData) -> Html:
    """Ends over time, as the ledgers have them."""
    lines = sorted((line for line in data.units.values() if line.outcome == "played"), key=lambda line: line.at)
    if len(lines) < 2:  # noqa: PLR2004  no curve
        return Html("")
    times = [datetime.fromisoformat(line.at).timestamp() for line in lines]
    ended = [((at - times[0]) / 60, float(number)) for number, at in enumerate(times, 1)]
    was_found: list[tuple[float, float]] = []
    for (minutes, _), line in zip(ended, lines, strict=True):
        if line.episodes[-1].stop is StopReason.FOUND:
            was_found.append((minutes, len(was_found) + 1))
    if not ended[-1][0]:
        return Html("")
    curves = {"ended": _thin_out(ended), "found": _thin_out(was_found)}
    return draw_curves("Attempts over time", curves, "minutes since the first one ended", "attempts")


def _thin_out(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    every = max(1, len(points) // POINTS)
    return [*points[::every], *points[-1:]]


def _render_failures(data: ReportData, beside: Path) -> Html:
    """Kinds of failure with examples; links are relative to the folder `beside`."""
    parts: list[Html] = []
    for kind, (number, examples) in data.examples.items():
        title = outcome_label(StopReason(kind)) if kind in set(StopReason) else label_of(kind)
        shown = "" if number <= len(examples) else f", the first {len(examples)} by name"
        parts.append(text_tag("h3", f"{title}: {number:,}{shown}"))
        parts += [_render_example(example, beside) for example in examples]
    return join(*parts) if parts else text_tag("p", "None.", class_="soft")


def _render_example(example: FailureExample, beside: Path) -> Html:
    parts = [text_tag("h4", example.unit)]
    if example.why:
        parts.append(text_tag("p", example.why, class_="soft"))
    if example.prompt:
        parts.append(text_tag("pre", example.prompt))
    if example.targets:
        parts.append(text_tag("p", "Targets: " + ", ".join(example.targets)))
    parts += [text_tag("pre", step) for step in example.steps]
    if example.journal is not None:
        path = os.path.relpath(example.journal, beside)
        parts.append(tag("p", text_tag("a", path, href="./" + quote(os.fsencode(path)))))
    return tag("article", *parts)


def _render_workers(data: ReportData) -> Html:
    """Who played."""
    rows = [
        (w.name, "plays" if w.is_alive else "left" if w.has_left else "dead", f"{w.calls:,}", w.reason)
        for w in data.totals.workers
    ]
    return table(("worker", "state", "model calls", "why it ended"), list(rows), numbers=False)


def _render_settings(data: ReportData) -> Html:
    """What the run was begun with, as far as it differs from the defaults."""
    manifest = data.manifest
    config = manifest.model_dump_json(indent=2, include={"config"})
    seats = RunConfig.model_validate(manifest.config)
    prompts = [(name, sha256) for name, sha256 in manifest.prompts.items()]
    return join(
        tag("p", escape(f"Player {seats.player.model}, supervisor {seats.supervisor.model}.")),
        tag("p", escape(f"selfplay {manifest.selfplay}; what differs from the defaults:")),
        text_tag("pre", config),
        table(("prompt", "sha256"), list(prompts), numbers=False),
    )


def _format_each(number: float, of: int) -> str:
    return f"{number / of:.1f}" if of else "-"


def _format_dollars_each(amount: float, of: int) -> str:
    return format_dollars(amount / of) if of else "-"
