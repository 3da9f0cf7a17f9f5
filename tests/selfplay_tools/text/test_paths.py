from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfplay_tools.text.paths import MAX_DEPTH, display_path, display_paths, is_git_directory, is_served

NAMES = st.lists(
    st.sampled_from([b"a", b"\\", b"x0a", b"\n", b"\xe9", b"~2", "é".encode(), b"n", b"\\xe9"]), min_size=1
)
RAW_PATHS = st.lists(NAMES.map(b"".join), min_size=1, max_size=3).map(b"/".join)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"plain name.py", "plain name.py"),
        ("größe.py".encode(), "größe.py"),
        (b"caf\xe9.txt", r"caf\xe9.txt"),
        (b"new\nline.txt", r"new\nline.txt"),
        (b"tab\there", r"tab\there"),
        (b"bell\x07", r"bell\x07"),
        (b"del\x7f", r"del\x7f"),
        ("next\x85line".encode(), r"next\u0085line"),
        ("turn\u202eround".encode(), r"turn\u202eround"),
        (b"back\\slash", "back\\slash"),
        (b"\xed\xa0\x80", r"\xed\xa0\x80"),
        ("🎈".encode(), "🎈"),
    ],
)
def test_a_name_is_shown_on_one_line(raw: bytes, text: str) -> None:
    assert display_path(raw) == text


@given(st.lists(RAW_PATHS, unique=True))
def test_different_paths_have_different_shown_forms(raws: list[bytes]) -> None:
    assert len(set(display_paths(raws))) == len(raws)


@given(st.lists(RAW_PATHS, unique=True), st.randoms())
def test_the_shown_form_does_not_depend_on_the_order(raws: list[bytes], random: Random) -> None:
    shuffled = random.sample(raws, len(raws))
    assert dict(zip(raws, display_paths(raws), strict=True)) == dict(
        zip(shuffled, display_paths(shuffled), strict=True)
    )


@given(st.lists(RAW_PATHS, unique=True))
def test_every_shown_form_is_printable_text(raws: list[bytes]) -> None:
    for path in display_paths(raws):
        path.encode("utf-8")
        assert "\n" not in path


def test_a_name_that_needs_no_escape_keeps_it() -> None:
    assert display_paths([b"caf\xe9", b"caf\\xe9"]) == [r"caf\xe9~2", r"caf\xe9"]


@pytest.mark.parametrize(
    "name",
    [
        b".git",
        b".GIT",
        b".Git",
        b"git~1",
        b"GIT~1",
        b".git ",
        b".git...",
        b".git::$INDEX_ALLOCATION",
        b".git\\config",
        ".g\u200cit".encode(),
    ],
)
def test_git_s_own_directory_is_known_in_every_form(name: bytes) -> None:
    assert is_git_directory(name)
    assert not is_served(name)
    assert not is_served(b"deep/er/" + name + b"/config")


@pytest.mark.parametrize(
    "name", [b".gitignore", b".github", b"git", b"my.git", b"git~2", b".gitmodules", b"..git", b"\n", b".\n", b"..\n"]
)
def test_names_that_only_resemble_it_are_served(name: bytes) -> None:
    assert is_served(b"a/" + name)


@pytest.mark.parametrize(
    "raw", [b"", b"..", b"a/../b", b"a//b", b"/a", b"a/", b"./a", b"a/.", b"x/" * MAX_DEPTH + b"y/z"]
)
def test_what_only_a_hand_made_tree_holds_is_not_served(raw: bytes) -> None:
    assert not is_served(raw)
