"""The page: one file, without scripts, that asks the network for nothing."""

from importlib.resources import files
from pathlib import Path

from selfplay.report import sections
from selfplay.report.markup import Html, join, tag, text_tag
from selfplay.report.report_data import ReportData

CONTENT_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""The browser is told to load nothing, whatever the texts of a run may hold."""


def render_page(data: ReportData, beside: Path) -> bytes:
    """The report as HTML in UTF-8. Links to journals are relative to the folder `beside`, where it will lie."""
    totals = data.totals
    state = "is being played" if totals.is_running else totals.reason or "nobody plays now"
    body = [
        text_tag("h1", data.folder.root.resolve().name),
        text_tag("p", f"A run of selfplay as of {totals.at}; {state}.", class_="soft"),
        sections.render_tiles(data),
    ]
    for title, content in (
        ("Funnel", sections.render_funnel(data)),
        ("Outcomes", sections.render_outcomes(data)),
        ("The search", sections.render_search(data)),
        ("Tokens, money, time", join(sections.render_cost(data), sections.render_progress(data))),
        ("Failures", sections.render_failures(data, beside)),
        ("Workers", sections.render_workers(data)),
        ("Settings", sections.render_settings(data)),
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
