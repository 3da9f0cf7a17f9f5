"""The page: one file, without scripts, that asks the network for nothing."""

from importlib.resources import files
from pathlib import Path

from selfplay.report import sections
from selfplay.report.gather import Findings
from selfplay.report.html import Html, join, tag, words

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""The browser is told to load nothing, whatever the texts of a run may hold."""


def page(found: Findings, beside: Path) -> bytes:
    """The report as HTML in UTF-8. Links to journals are relative to the folder `beside`, where it will lie."""
    totals = found.totals
    state = "is being played" if totals.is_running else totals.reason or "nobody plays now"
    body = [
        words("h1", found.folder.root.resolve().name),
        words("p", f"A run of selfplay as of {totals.at}; {state}.", class_="soft"),
        sections.tiles(found),
    ]
    for title, content in (
        ("Funnel", sections.funnel(found)),
        ("Outcomes", sections.outcomes(found)),
        ("The search", sections.search(found)),
        ("Tokens, money, time", join(sections.cost(found), sections.progress(found))),
        ("Failures", sections.failures(found, beside)),
        ("Workers", sections.workers(found)),
        ("Settings", sections.setting(found)),
    ):
        if content:
            body += [words("h2", title), content]
    return ("<!doctype html>\n" + _html(found.folder.root.resolve().name, body)).encode("utf-8", "replace")


def _html(title: str, body: list[Html]) -> Html:
    style = Html(files("selfplay.report").joinpath("style.css").read_text("utf-8"))
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        words("title", f"{title}: a run of selfplay"),
        tag("style", style),
    )
    return tag("html", head, tag("body", *body), lang="en")
