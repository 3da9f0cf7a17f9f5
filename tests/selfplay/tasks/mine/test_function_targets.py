import difflib

from hypothesis import given
from hypothesis import strategies as st

from selfplay.tasks.mine.function_targets import MAX_LINES, function_targets, read_edits


def patch_of(before: str, after: str, context: int = 3) -> bytes:
    rows = difflib.unified_diff(before.splitlines(), after.splitlines(), n=context, lineterm="")
    return "".join(f"{row}\n" for row in rows).encode()


def symbols(before: str, after: str, path: str = "m.py") -> list[str]:
    return [str(t).partition(":")[2] for t in function_targets(path, before.encode(), patch_of(before, after))]


PY = "import os\n\ndef one():\n    return 1\n\nclass A:\n    x = 1\n\n    def two(self):\n        return 2\n"


def test_the_innermost_definition_counts() -> None:
    assert symbols(PY, PY.replace("return 2", "return 3")) == ["A.two"]
    assert symbols(PY, PY.replace("x = 1", "x = 2")) == ["A"]


def test_imports_belong_to_no_definition() -> None:
    assert symbols(PY, PY.replace("import os", "import re")) == []


def test_lines_added_at_a_functions_end_belong_to_it_only_if_they_are_its_own() -> None:
    assert symbols(PY, PY + "        # more\n") == ["A.two"]
    assert symbols(PY, PY + "    def three(self):\n        return 3\n") == ["A"]
    assert symbols(PY, PY + "\ndef three():\n    return 3\n") == []


def test_a_change_in_a_long_class_gives_its_lines() -> None:
    before = "class A:\n" + "".join(f"    # {n}\n" for n in range(MAX_LINES)) + "    x = 1\n"
    assert symbols(before, before.replace("x = 1", "x = 2")) == [f"{MAX_LINES + 2}-{MAX_LINES + 2}"]


def test_a_name_that_is_defined_twice_is_given_by_its_lines() -> None:
    before = "def f():\n    return 1\n\ndef f():\n    return 2\n"
    [target] = function_targets("m.py", before.encode(), patch_of(before, before.replace("return 2", "return 3")))
    assert (target.symbol, target.lines) == (None, (4, 5))


def test_other_languages_are_read_too() -> None:
    before = "package a\n\nfunc (c *C) Run() int {\n\treturn 1\n}\n"
    assert symbols(before, before.replace("return 1", "return 2"), "a.go") == ["C.Run"]


@given(
    st.lists(st.sampled_from(["a", "-- b", "++ c", "@@ -1 +1 @@", "", "d"]), max_size=12),
    st.lists(st.sampled_from(["a", "-- b", "++ c", "@@ -1 +1 @@", "", "d"]), max_size=12),
    st.integers(0, 3),
)
def test_edits_turn_the_old_lines_into_the_new_ones(old: list[str], new: list[str], context: int) -> None:
    rows = difflib.unified_diff(old, new, n=context, lineterm="")
    made, at = list[str](), 1
    for edit in read_edits("".join(f"{row}\n" for row in rows).encode()):
        start = edit.first + 1 if edit.is_insertion else edit.first
        made += old[at - 1 : start - 1]
        made += edit.added
        at = start if edit.is_insertion else edit.last + 1
    assert made + old[at - 1 :] == new
