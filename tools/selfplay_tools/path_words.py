"""What paths say for ranking: the words of a file's name, of its folder, and whether it lies off the track."""

from collections.abc import Sequence

from selfplay_tools.byways import find_low_priority_paths
from selfplay_tools.ranking import PathFields
from selfplay_tools.store.postings import Postings
from selfplay_tools.store.words import WordIndex


def make_path_fields(paths: Sequence[str]) -> PathFields:
    """The fields of these paths, in their order."""
    parted = [path.rpartition("/") for path in paths]
    return PathFields(
        words=WordIndex.from_fields(
            Postings.from_names([strip_suffix(name) for _, _, name in parted]),
            Postings.from_names([folder for folder, _, _ in parted]),
        ).fields,
        low_priority=find_low_priority_paths(paths),
    )


def strip_suffix(name: str) -> str:
    """The name up to its first dot: `app.test.ts` is app, `.travis.yml` stays."""
    return name if name.startswith(".") else name.partition(".")[0]
