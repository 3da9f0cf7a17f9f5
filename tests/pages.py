"""The code blocks of a page of the docs."""

import re
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"


def blocks_of(page: str, language: str) -> list[str]:
    """The page's blocks in a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", (DOCS / page).read_text("utf-8"), re.MULTILINE | re.DOTALL)
