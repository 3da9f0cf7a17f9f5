"""What paths say for ranking: the words of a file's name, of its folder, and whether it lies off the track."""

from collections.abc import Sequence

from selfplay_tools.byways import byways_of
from selfplay_tools.ranking import PathFields
from selfplay_tools.store.postings import Postings
from selfplay_tools.store.words import Words


def path_fields(paths: Sequence[str]) -> PathFields:
    """The fields of these paths, in their order."""
    parted = [path.rpartition("/") for path in paths]
    return PathFields(
        words=Words.both(
            Postings.of_names([without_suffix(name) for _, _, name in parted]),
            Postings.of_names([folder for folder, _, _ in parted]),
        ).fields,
        byways=byways_of(paths),
    )


def without_suffix(name: str) -> str:
    """The name up to its first dot: `app.test.ts` is app, `.travis.yml` stays."""
    return name if name.startswith(".") else name.partition(".")[0]
