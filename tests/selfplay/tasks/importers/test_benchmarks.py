import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfplay.core.errors import InputError
from selfplay.core.task import Task
from selfplay.tasks.importers import BenchmarkFormat, RejectedRow, RepositoryLocations, import_rows, read_objects
from selfplay.tasks.importers.changed_files import ChangedFile, changed_files

PATCH = """diff --git a/pkg/core.py b/pkg/core.py
--- a/pkg/core.py
+++ b/pkg/core.py
@@ -1,2 +1,2 @@
--- a/not/a/head.py
+++ b/not/a/head.py
 x
diff --git a/pkg/new.py b/pkg/new.py
new file mode 100644
--- /dev/null
+++ b/pkg/new.py
@@ -0,0 +1 @@
+x
diff --git a/tests/test_core.py b/tests/test_core.py
--- a/tests/test_core.py
+++ b/tests/test_core.py
@@ -1 +1 @@
-x
+y
diff --git a/CHANGES.md b/CHANGES.md
--- a/CHANGES.md
+++ b/CHANGES.md
@@ -1 +1 @@
-x
+y
"""
ROW: dict[str, Any] = {
    "instance_id": "acme__tool-12",
    "repo": "acme/tool",
    "base_commit": "1" * 40,
    "problem_statement": "It breaks.\n",
    "patch": PATCH,
    "test_patch": "",
    "hints_text": "",
    "created_at": "2020-01-01T00:00:00Z",
    "version": "1.0",
    "FAIL_TO_PASS": "[]",
}


def import_values(
    tmp_path: Path, kind: BenchmarkFormat, *rows: object, places: RepositoryLocations | None = None
) -> list[Task | RejectedRow]:
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows))
    return [made for _, made in import_rows(file, kind, places or RepositoryLocations())]


def require_one_task(made: list[Task | RejectedRow]) -> Task:
    [task] = made
    assert isinstance(task, Task)
    return task


def reasons(made: list[Task | RejectedRow]) -> list[str]:
    return [one.reason for one in made if isinstance(one, RejectedRow)]


def test_a_swe_bench_row_becomes_a_task_without_tests_new_files_and_notes(tmp_path: Path) -> None:
    task = require_one_task(import_values(tmp_path, "swebench", ROW))
    assert (task.brief.id, task.brief.repo) == ("acme__tool-12", "https://github.com/acme/tool")
    assert (task.brief.commit, task.brief.prompt) == ("1" * 40, "It breaks.")
    assert task.answer.paths == ("pkg/core.py",)
    assert task.answer.patch == PATCH
    assert task.meta == {"from": "swebench", "created_at": "2020-01-01T00:00:00Z", "version": "1.0"}


def test_a_swe_smith_row_is_played_on_its_branch_after_the_bug(tmp_path: Path) -> None:
    row = {"instance_id": "a__b.1234.x", "repo": "swesmith/a__b.1234", "problem_statement": "It broke.", "patch": PATCH,
           "image_name": "i"}  # fmt: skip
    task = require_one_task(import_values(tmp_path, "swebench", row))
    assert (task.brief.repo, task.brief.commit) == ("https://github.com/swesmith/a__b.1234", "a__b.1234.x")
    assert task.answer.paths == ("pkg/core.py", "pkg/new.py")
    assert task.answer.patch is None


def test_loc_bench_names_functions_and_files_without_any_stay_whole(tmp_path: Path) -> None:
    row = {**ROW, "edit_functions": ["pkg/core.py:Tool.run", "pkg/core.py:stop", "pkg/x.py"]}
    task = require_one_task(import_values(tmp_path, "locbench", row))
    assert list(map(str, task.answer.targets)) == ["pkg/core.py:Tool.run", "pkg/core.py:stop", "pkg/x.py"]
    more = require_one_task(import_values(tmp_path, "locbench", {**row, "edit_functions": '["pkg/x.py:f"]'}))
    assert list(map(str, more.answer.targets)) == ["pkg/x.py:f", "pkg/core.py"]


def test_a_gold_override_stands_for_all_else(tmp_path: Path) -> None:
    row = {**ROW, "edit_functions": ["a.py:f"], "gold_override": ["b.py:g", {"file": "c.py", "function": "h"}]}
    assert list(map(str, require_one_task(import_values(tmp_path, "locbench", row)).answer.targets)) == [
        "b.py:g",
        "c.py:h",
    ]


def test_a_chat_row_asks_with_its_first_user_message(tmp_path: Path) -> None:
    messages = [
        {"role": "system", "content": "s"},
        {"role": "user", "content": [{"type": "text", "text": "It breaks."}]},
    ]
    meta = {"id": "r1", "repo": "acme/tool", "commit": "v1", "targets": ["a.py", {"path": "b.py", "lines": [1, 2]}]}
    task = require_one_task(import_values(tmp_path, "openai", {"messages": messages, "metadata": meta}))
    assert (task.brief.id, task.brief.commit, task.brief.prompt) == ("r1", "v1", "It breaks.")
    assert list(map(str, task.answer.targets)) == ["a.py", "b.py:1-2"]
    flat = require_one_task(
        import_values(
            tmp_path, "openai", {"messages": messages, "id": "r2", "repo": "a/b", "commit": "c", "patch": PATCH}
        )
    )
    assert flat.answer.paths == ("pkg/core.py",)


def test_what_gives_no_task_is_said_row_by_row(tmp_path: Path) -> None:
    tests_only = PATCH[PATCH.index("diff --git a/tests") : PATCH.index("diff --git a/CHANGES")]
    made = import_values(
        tmp_path, "swebench", "{", "[]", {**ROW, "patch": "nonsense"}, {**ROW, "patch": tests_only},
        {**ROW, "repo": "x"},
        {**ROW, "problem_statement": " "}, {"instance_id": "q"}, ROW, ROW, {**ROW, "patch": 3},
    )  # fmt: skip
    assert len(made) == 10
    found = reasons(made)
    assert len(found) == 9
    for part, reason in zip(
        ("not JSON", "no object", "no unified diff", "only tests", "no owner/name", "is empty", "is missing",
         "stands at", "no text"),
        found, strict=True,
    ):  # fmt: skip
        assert part in reason


def test_repositories_come_from_a_folder_or_a_table(tmp_path: Path) -> None:
    for name in ("acme__tool", "acme+more/repo", "last.git"):
        (tmp_path / "clones" / name).mkdir(parents=True)
        (tmp_path / "clones" / name / "HEAD").write_text("")
    places = RepositoryLocations.from_path(tmp_path / "clones")
    assert [Path(places.locate(n)).name for n in ("acme/tool", "acme/more", "x/last")] == [
        "acme__tool",
        "repo",
        "last.git",
    ]
    with pytest.raises(ValueError, match="'acme/none' is not in"):
        places.locate("acme/none")
    (tmp_path / "table.json").write_text('{"acme/tool": "/else/where"}')
    table = RepositoryLocations.from_path(tmp_path / "table.json")
    assert (table.locate("acme/tool"), table.locate("a/b")) == ("/else/where", "https://github.com/a/b")
    with pytest.raises(InputError, match="neither a folder nor"):
        RepositoryLocations.from_path(tmp_path / "nothing.json")


def test_a_json_list_is_read_as_its_rows(tmp_path: Path) -> None:
    file = tmp_path / "rows.json"
    file.write_text(json.dumps([ROW, 3]))
    assert [(w.rpartition("rows.json")[2], v if isinstance(v, str) else "") for w, v in read_objects(file)] == [
        ("[0]", ""), ("[1]", "no object, but int"),
    ]  # fmt: skip


def test_parquet_is_read_where_pyarrow_is_there(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    file = tmp_path / "rows.parquet"
    parquet.write_table(arrow.Table.from_pylist([ROW]), file)
    assert [value for _, value in read_objects(file)] == [ROW]
    file.write_text("no table")
    with pytest.raises(InputError, match="no Parquet file"):
        list(read_objects(file))


CAFE = r'"a/caf\303\251.py"'
FORMS: list[tuple[str, list[tuple[str | None, str | None]]]] = [
    ("--- a/x y.py\t2020\n+++ b/x y.py\t2020\n@@ -1 +1 @@\n-a\n+b\n", [("x y.py", "x y.py")]),
    (f"diff --git {CAFE} {CAFE}\n--- {CAFE}\n+++ {CAFE.replace('a/', 'b/')}\n", [("café.py", "café.py")]),
    ("diff --git a/x b/y\nsimilarity index 100%\nrename from x\nrename to y\n", [("x", "y")]),
    ("diff --git a/x b/x\ndeleted file mode 100644\nindex 1..0\n", [("x", None)]),
    ("diff --git a/b.png b/b.png\nindex 1..2 100644\nBinary files differ\n", [("b.png", "b.png")]),
    ("--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n--- a/y\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n", [("x", "x"), ("y", None)]),
]


@pytest.mark.parametrize(("patch", "files"), FORMS)
def test_heads_of_diffs_in_every_form(patch: str, files: list[tuple[str | None, str | None]]) -> None:
    assert changed_files(patch) == tuple(ChangedFile(*pair) for pair in files)


@given(st.text(alphabet=st.sampled_from('diff -+@ab/"\\\n\t01,'), max_size=200))
def test_no_text_breaks_the_reader_of_diffs(text: str) -> None:
    try:
        assert changed_files(text)
    except ValueError as error:
        assert str(error) == "the patch is no unified diff"  # noqa: PT017  the one thing that it may say
