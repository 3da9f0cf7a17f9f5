from selfplay.core.task import Target
from selfplay.environments.find_files.targets import TargetProgress
from selfplay_tools.tools.tool import HowShown, ShownRange


def shown(path: str, first: int, last: int, how: HowShown = "read") -> ShownRange:
    return ShownRange(path=path, first=first, last=last, how=how)


FILE = Target(path="a.py")
PART = Target(path="b.py", lines=(10, 12))


def test_a_file_is_found_when_a_part_of_it_was_read() -> None:
    assert TargetProgress((FILE,)).add_shown([shown("a.py", 5, 9)]) == (0,)


def test_single_lines_of_a_search_and_an_outline_do_not_find_a_file() -> None:
    progress = TargetProgress((FILE,))
    assert progress.add_shown([shown("a.py", 5, 5, "match"), shown("a.py", 1, 3, "outline")]) == ()
    assert not progress.is_complete


def test_an_empty_file_is_found_by_opening_it() -> None:
    assert TargetProgress((FILE,)).add_shown([shown("a.py", 1, 0)]) == (0,)


def test_a_part_is_found_when_all_of_its_lines_were_shown_in_whichever_results() -> None:
    progress = TargetProgress((PART,))
    assert progress.add_shown([shown("b.py", 1, 10)]) == ()
    assert progress.add_shown([shown("b.py", 12, 12, "match")]) == ()
    assert progress.add_shown([shown("b.py", 11, 40)]) == (0,)


def test_a_target_is_found_once() -> None:
    progress = TargetProgress((FILE, PART))
    assert progress.add_shown([shown("a.py", 1, 2)]) == (0,)
    assert progress.add_shown([shown("a.py", 1, 2)]) == ()
    assert progress.add_shown([shown("b.py", 1, 99)]) == (1,)
    assert progress.is_complete
