"""HTML out of Python: texts are escaped unless they were made here."""

import html
from typing import NewType

from selfplay.view import safe

Html = NewType("Html", str)
"""Markup; a plain `str` is text."""
VOID = frozenset({"meta", "line", "rect", "polyline", "circle", "br"})


def text(value: str | int) -> Html:
    """A text as markup: nothing in it acts on a page, or hides in it."""
    return Html(html.escape(safe(str(value)), quote=True))


def tag(name: str, /, *children: Html, **attributes: str | float) -> Html:
    """An element. Of attribute names a trailing `_` is dropped, other `_` stand for `-`."""
    told = "".join(f' {key.rstrip("_").replace("_", "-")}="{text(_plain(v))}"' for key, v in attributes.items())
    if name in VOID:
        return Html(f"<{name}{told}>" if name in {"meta", "br"} else f"<{name}{told}/>")
    return Html(f"<{name}{told}>{''.join(children)}</{name}>")


def join(*parts: Html) -> Html:
    """Markup one after the other."""
    return Html("".join(parts))


def words(name: str, value: str | int, /, **attributes: str | float) -> Html:
    """An element that holds nothing but a text."""
    return tag(name, text(value), **attributes)


def table(head: tuple[str, ...], rows: list[tuple[str, ...]], *, numbers: bool = True) -> Html:
    """A table; with `numbers` all columns but the first stand to the right."""
    side = "number" if numbers else "text"
    top = tag("tr", *(words("th", name, class_=side if i else "text", scope="col") for i, name in enumerate(head)))
    body = [tag("tr", *(words("td", cell, class_=side if i else "text") for i, cell in enumerate(r))) for r in rows]
    return tag("table", tag("thead", top), tag("tbody", *body))


def _plain(value: str | float) -> str:
    """Coordinates to a tenth."""
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else str(value)
