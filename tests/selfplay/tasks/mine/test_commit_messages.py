import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfplay.tasks.file_kinds import FileKind, file_kind_of, is_marked_generated
from selfplay.tasks.mine.commit_messages import clean_message, is_bot, is_release, is_revert
from selfplay.tasks.mine.filters import MIN_SPECIFIC_WORDS


@pytest.mark.parametrize(
    ("message", "text", "issues"),
    [
        ("Fix a leak (#12)", "Fix a leak", (12,)),
        ("Fix a leak. Closes #183", "Fix a leak.", (183,)),
        ("Fix a leak\n\nCloses #12, #13\nRefs: #3470 #2899", "Fix a leak", (12, 13, 3470, 2899)),
        ("Fix a leak\n\nFixes https://github.com/a/b/issues/9.", "Fix a leak", (9,)),
        ("Fix a leak\n\nSigned-off-by: A <a@b.c>\nCo-authored-by: B <b@c.d>\nChange-Id: I123", "Fix a leak", ()),
        ("Fix a leak\n\ngit-svn-id: https://x/y@12 3f-4", "Fix a leak", ()),
        ("Fix a leak\n\n(cherry picked from commit 0123456789)", "Fix a leak", ()),
        ("Fix a leak, see https://example.com/a(b)?c=d.", "Fix a leak", ()),
        ("Fix what http://a.b/c(d)?e=f. says", "Fix what (link). says", ()),
        ("Merge pull request #5 from a/b\n\nFix a leak", "Fix a leak", (5,)),
        ("Merge branch 'x' into y", "", ()),
        ("Fix a leak\r\n\r\nIt dripped.\r\n", "Fix a leak\n\nIt dripped.", ()),
        ("Fix the merge of two lists", "Fix the merge of two lists", ()),
        ("Note: the bug is old\nIssue: none of yours", "Note: the bug is old", ()),
        ("Make C# and F# work, item 3 of 4", "Make C# and F# work, item 3 of 4", ()),
        ("Fix a leak [ci skip]", "Fix a leak", ()),
        ("Allow dashes. This fixes #444", "Allow dashes.", (444,)),
        ("Trap errors.  This should also fix #2", "Trap errors.", (2,)),
        ("Keep it wide\n\nas requested in\n\nhttps://a.b/issues/9", "Keep it wide", (9,)),
        ("This fixes #3 by closing the file", "This fixes #3 by closing the file", (3,)),
        ("Set a charset. Thank you @ada", "Set a charset.", ()),
        ("Close it, thanks to @ada.", "Close it", ()),
        ("Close it\n\n- thanks @ada", "Close it", ()),
        ("Close it (#4)\n\n* Close it\n\n* say so", "Close it\n\n* say so", (4,)),
        ("Close it\n\nMore details at:\n(https://a.b/c)\n\n[1] https://a.b/d\n", "Close it", ()),
        ("Close it, as [RFC 1](https://a.b) says", "Close it, as RFC 1 says", ()),
    ],
)
def test_a_message_keeps_what_speaks_to_people(message: str, text: str, issues: tuple[int, ...]) -> None:
    found = clean_message(message)
    assert (found.text, found.issues) == (text, issues)


def test_what_was_left_out_is_said() -> None:
    found = clean_message("Fix a leak (#1)\n\nSigned-off-by: A <a@b.c>\nAcked-by: B <a@b.c>\nsee http://x.y/z for more")
    assert found.left_out == {"references": 1, "trailers": 2, "URLs": 1}


SLOW = (
    "Fixes " + "#1" * 5000 + " x",
    "Fixes " + "#1  " * 5000 + "x",
    "see " + "https://a,https://a " * 3000 + "x",
    " " * 50_000 + "x",
    "fixes " + "and #1 " * 5000,
    "(#1" + " ,#1" * 5000 + "x",
    "a" * 50_000 + "#1",
    "-by" * 20_000,
    "this " + "should " * 10_000 + "x",
    "seen in " * 10_000,
    "- thanks " * 10_000,
    "a b: (link) " * 5000,
    "[" * 20_000 + "a](",
    "Conflicts:\n" + " #" * 20_000,
)


@pytest.mark.parametrize("text", SLOW, ids=range(len(SLOW)))
def test_no_message_makes_the_cleaning_slow(text: str) -> None:
    """A pattern that can read a text in many ways would not end here."""
    assert clean_message(f"Keep this\n{text}\nand this").text.startswith("Keep this")


@given(st.text(max_size=300))
def test_cleaning_ends_in_the_same_text_when_done_twice_or_gets_shorter(text: str) -> None:
    once = clean_message(text)
    again = clean_message(once.text)
    assert len(again.text) <= len(once.text)
    assert once.text == once.text.strip()
    assert "\0" not in once.text


@pytest.mark.parametrize(
    "subject",
    [
        "Release 1.2",
        "v2.0.1",
        "Bump foo from 1 to 2",
        "chore(deps): update x",
        "1.0.0rc1",
        "docs(changelog): upgrade Gin to v1.11.0",
        "[pre-commit.ci] pre-commit autoupdate",
    ],
)
def test_versions_are_releases(subject: str) -> None:
    assert is_release(subject)


@pytest.mark.parametrize("subject", ["Release memory early", "Update the length", "Prepare statements only once"])
def test_sentences_are_none(subject: str) -> None:
    assert not is_release(subject)


@pytest.mark.parametrize(
    "text",
    ["Some small fixes for problems", "fix: resolve pr comments", "Remove an unused function", "fix typos in docs"],
)
def test_some_messages_could_be_about_anything(text: str) -> None:
    assert clean_message(text).specific_words < MIN_SPECIFIC_WORDS


@pytest.mark.parametrize(
    "text",
    ["Fix the editor with spaces in paths", "Improve url_for()", "Do not use addRoute twice", "修复 路由 的 内存 泄漏"],
)
def test_others_say_what_they_are_about(text: str) -> None:
    assert clean_message(text).specific_words >= MIN_SPECIFIC_WORDS


def test_reverts_and_bots_are_recognised() -> None:
    assert is_revert('Revert "x"')
    assert is_revert("x\n\nThis reverts commit abc.")
    assert not is_revert("Let users revert a change")
    assert is_bot("renovate[bot]", "")
    assert not is_bot("Abbott Robotnik", "abbott@robots.example")


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("app/io.py", FileKind.SOURCE),
        ("app/history.py", FileKind.SOURCE),
        ("app/Latest.java", FileKind.SOURCE),
        ("app/Commit.java", FileKind.SOURCE),
        ("app/code_generate.py", FileKind.SOURCE),
        ("app/testing_tools.py", FileKind.SOURCE),
        ("app/templates/page.html", FileKind.SOURCE),
        ("examples/blog/templates/page.html", FileKind.DOCS),
        ("app/CommitTest.java", FileKind.TEST),
        ("io_test.go", FileKind.TEST),
        ("a/b.spec.ts", FileKind.TEST),
        ("tests/x.py", FileKind.TEST),
        ("docs/conf.py", FileKind.DOCS),
        ("README.md", FileKind.DOCS),
        ("CHANGELOG", FileKind.DOCS),
        ("deps/lua/lua.c", FileKind.VENDORED),
        ("a/node_modules/b.js", FileKind.VENDORED),
        ("a/x_pb2.py", FileKind.GENERATED),
        ("a/jquery.min.js", FileKind.GENERATED),
        ("poetry.lock", FileKind.GENERATED),
        (".github/x.py", FileKind.OTHER),
        ("a.json", FileKind.OTHER),
    ],
)
def test_a_path_says_what_a_file_is_for(path: str, kind: FileKind) -> None:
    assert file_kind_of(path) is kind


def test_a_file_may_say_that_it_was_generated() -> None:
    assert is_marked_generated(b"// Code generated by protoc. DO NOT EDIT.\n")
    assert not is_marked_generated(b"# Generates code that you may edit\n")
