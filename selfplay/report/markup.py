"""HTML out of Python: texts are escaped unless they were made here."""

import html
from typing import NewType

from selfplay.core.terminal_text import sanitize

Html = NewType("Html", str)
"""Markup; a plain `str` is text."""
VOID = frozenset({"meta", "line", "rect", "polyline", "circle", "br"})


def escape(value: str | int) -> Html:
    """A text as markup: nothing in it acts on a page, or hides in it."""
    return Html(html.escape(sanitize(str(value)), quote=True))


def tag(name: str, /, *children: Html, **attributes: str | float) -> Html:
    """An element. Of attribute names a trailing `_` is dropped, other `_` stand for `-`."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_format_attribute(v))}"' for key, v in attributes.items()
    )
    if name in VOID:
        return Html(f"<{name}{written}>" if name in {"meta", "br"} else f"<{name}{written}/>")
    return Html(f"<{name}{written}>{''.join(children)}</{name}>")


def join(*parts: Html) -> Html:
    """Markup one after the other."""
    return Html("".join(parts))


def text_tag(name: str, value: str | int, /, **attributes: str | float) -> Html:
    """An element that holds nothing but a text."""
    return tag(name, escape(value), **attributes)


def table(head: tuple[str, ...], rows: list[tuple[str, ...]], *, numbers: bool = True) -> Html:
    """A table; with `numbers` all columns but the first stand to the right."""
    side = "number" if numbers else "text"
    top = tag("tr", *(text_tag("th", name, class_=side if i else "text", scope="col") for i, name in enumerate(head)))
    body = [tag("tr", *(text_tag("td", cell, class_=side if i else "text") for i, cell in enumerate(r))) for r in rows]
    return tag("table", tag("thead", top), tag("tbody", *body))


def _format_attribute(value: str | float) -> str:
    """Coordinates to a tenth."""
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else str(value)
