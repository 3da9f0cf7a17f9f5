import re
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfplay.batch.ledger import UnitLedger
from selfplay.clean.folder import CleanFolder
from selfplay.clean.funnel import CleaningSpending
from selfplay.clean.journals import journals_in
from selfplay.clean.run import CleaningWork, clean_to
from selfplay.clean.settings import CleanSettings
from selfplay.config import EpisodeLimits
from selfplay.core.task import Answer, Target
from selfplay.core.trace import StopReason
from selfplay.report import gather_report_data, render_page
from selfplay.report.markup import Html, escape, tag, text_tag
from selfplay.report.plots import BarPart, PlotBar, draw_bars, draw_curves, draw_histogram
from tests.selfplay.batch.ledger_lines import make_episode_line, make_unit_line
from tests.selfplay.batch.runs import CONFIG, make_order, make_repository, make_tasks, play_run

HOSTILE = '</pre><script>alert("1")</script><img src="http://evil.example/x">\u202e\x1b[2J&amp;'
VOID = {"meta", "br"}


class PageReader(HTMLParser):
    """Elements that are open at the end, and what was met on the way."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(content)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def values(self, name: str) -> list[str]:
        return [value for _, attributes in self.tags for key, value in attributes.items() if key == name and value]


def read_page(content: bytes) -> PageReader:
    reader = PageReader(content.decode())
    assert not reader.open
    return reader


def figure_titles(reader: PageReader) -> list[str]:
    return [attributes["aria-label"] or "" for tag_, attributes in reader.tags if tag_ == "svg"]


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "pump.git")


@pytest.mark.anyio
async def test_a_report_holds_the_figures_and_failures_of_a_run(tmp_path: Path, repo: Path) -> None:
    tasks = list(make_tasks(repo, 4))
    tasks[3] = (tasks[3][0], tasks[3][1].model_copy(update={"answer": Answer(targets=(Target(path="none.py"),))}))
    the_order = make_order(tmp_path, tasks, config=CONFIG.model_copy(update={"limits": EpisodeLimits(steps=2)}))
    await play_run(the_order)
    found = gather_report_data(the_order.folder)
    assert found.totals.results.outcomes == {StopReason.STEPS: 3}
    reader = read_page(render_page(found, the_order.folder.root))
    page_text = " ".join(reader.texts)
    assert "out of steps: 3" in page_text
    assert "unusable: 1" in page_text
    assert "none.py" in page_text
    assert "step 2: " in page_text
    assert "Player heuristic, supervisor heuristic." in page_text
    links = [unquote(link) for link in reader.values("href")]
    assert len(links) == 3
    assert all((the_order.folder.root / link).is_file() for link in links)
    assert "Outcomes" in figure_titles(reader)
    other = read_page(render_page(found, tmp_path / "elsewhere" / "deep"))
    assert all((tmp_path / "elsewhere" / "deep" / unquote(link)).resolve().is_file() for link in other.values("href"))


@pytest.mark.anyio
async def test_what_cleaning_left_is_in_the_funnel(tmp_path: Path, repo: Path) -> None:
    the_order = make_order(tmp_path, make_tasks(repo, 3))
    await play_run(the_order)
    root = the_order.folder.root
    assert "Cleaning: what is left after each stage" not in figure_titles(
        read_page(render_page(gather_report_data(the_order.folder), root))
    )
    await clean_to(CleanFolder(root / "clean"), CleaningWork(journals_in(root), CleanSettings()))
    assert "Cleaning: what is left after each stage" in figure_titles(
        read_page(render_page(gather_report_data(the_order.folder), root))
    )


@pytest.mark.anyio
async def test_a_training_row_costs_what_playing_and_cleaning_cost(tmp_path: Path, repo: Path) -> None:
    the_order = make_order(tmp_path, make_tasks(repo, 3))
    await play_run(the_order)
    root = the_order.folder.root
    await clean_to(
        CleanFolder(root / "clean"), CleaningWork(journals_in(root), CleanSettings()), lambda: CleaningSpending(usd=1.5)
    )
    found = gather_report_data(the_order.folder)
    assert found.funnel is not None
    found = replace(
        found,
        totals=found.totals.model_copy(update={"cost_usd": 0.5}),
        funnel=found.funnel.model_copy(update={"rows": 4}),
    )
    page_text = " ".join(read_page(render_page(found, root)).texts)
    assert re.search(r"asked while cleaning\s+1\.50 USD", page_text)
    assert re.search(r"per training row, cleaning included\s+0\.5000 USD", page_text)


@pytest.mark.anyio
async def test_no_text_of_a_run_acts_on_the_page(tmp_path: Path, repo: Path) -> None:
    the_order = make_order(tmp_path, make_tasks(repo, 1))
    await play_run(the_order)
    hostile = make_episode_line(StopReason.GAVE_UP).model_copy(
        update={"tools": {HOSTILE: 3}, "path": f"{HOSTILE}.jsonl"}
    )
    with UnitLedger(the_order.folder, "w") as ledger:
        ledger.append(make_unit_line(7, hostile, grade=HOSTILE, repo=HOSTILE).model_copy(update={"unit": HOSTILE}))
        ledger.append(make_unit_line(8).model_copy(update={"unit": HOSTILE + "2", "detail": HOSTILE}))
    found = gather_report_data(the_order.folder)
    found = replace(found, manifest=found.manifest.model_copy(update={"prompts": {HOSTILE: HOSTILE}}))
    content = render_page(found, the_order.folder.root)
    reader = read_page(content)
    assert not {"script", "img", "link", "iframe"} & {name for name, _ in reader.tags}
    assert not re.search(r"[\x00-\x08\x0b-\x1f\u202e]", content.decode())
    assert not [link for name in ("src", "href") for link in reader.values(name) if "//" in link.partition("?")[0][:8]]
    assert reader.values("content")[0].startswith("default-src 'none'")


@pytest.mark.anyio
async def test_a_run_without_any_end_has_a_report_too(tmp_path: Path, repo: Path) -> None:
    the_order = make_order(tmp_path, make_tasks(repo, 1))
    await play_run(the_order)
    for ledger in the_order.folder.ledgers.iterdir():
        ledger.unlink()
    page_text = " ".join(read_page(render_page(gather_report_data(the_order.folder), tmp_path)).texts)
    assert "Nothing has ended yet." in page_text


@given(st.text())
def test_a_text_comes_back_as_it_was_unless_it_would_act(value: str) -> None:
    reader = PageReader(text_tag("p", value, title=value))
    assert [name for name, _ in reader.tags] == ["p"]
    plain = "".join(reader.texts)
    assert len(plain) == len(value)
    assert all(b in {a, "\ufffd"} for a, b in zip(value, plain, strict=True))


@given(st.dictionaries(st.integers(0, 100_000), st.integers(1, 50), min_size=1, max_size=60))
def test_a_histogram_leaves_nothing_out(counts: dict[int, int]) -> None:
    reader = PageReader(draw_histogram("steps", counts, "steps"))
    numbers = re.findall(r": ([\d,]+)(?= |$)", " ".join(t for t in reader.texts if re.match(r"[\d]+( to \d+)?: ", t)))
    assert sum(int(number.replace(",", "")) for number in numbers) == sum(counts.values())
    check_bars_are_inside(reader)


def check_bars_are_inside(reader: PageReader) -> None:
    """Every bar lies in its picture."""
    [width, height] = [float(v or 0) for a in (reader.tags[2][1],) for v in (a["width"], a["height"])]
    for name, attributes in reader.tags:
        if name == "rect":
            x, y, w, h = (float(attributes[key] or 0) for key in ("x", "y", "width", "height"))
            assert x >= 0
            assert y >= 0
            assert x + w <= width + 0.2
            assert y + h <= height


@given(st.lists(st.lists(st.integers(0, 10**9), min_size=1, max_size=4), min_size=1, max_size=9), st.booleans())
def test_bars_stay_in_their_picture(values: Sequence[Sequence[int]], is_share: bool) -> None:  # noqa: FBT001  given
    rows = [PlotBar("x" * 99, tuple(BarPart(v, "found") for v in row), str(sum(row))) for row in values]
    check_bars_are_inside(PageReader(draw_bars("bars", rows, "things", is_share=is_share)))


def test_curves_are_named_and_do_not_hide_each_others_names() -> None:
    reader = PageReader(
        draw_curves("ends", {"ended": [(0, 1), (5, 10)], "found": [(0, 1), (5, 10)]}, "minutes", "attempts")
    )
    names = {
        t: float(a["y"] or 0)
        for t, a in zip(reader.texts, label_attributes(reader), strict=False)
        if t in {"ended", "found"}
    }
    assert abs(names["ended"] - names["found"]) >= 12


def label_attributes(reader: PageReader) -> list[dict[str, str | None]]:
    return [attributes for name, attributes in reader.tags if name in {"figcaption", "text"}]


def test_markup_is_made_of_texts_that_were_escaped() -> None:
    assert tag("p", escape("<b>"), class_="a&b") == Html('<p class="a&amp;b">&lt;b&gt;</p>')
