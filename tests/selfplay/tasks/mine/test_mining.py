from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from selfplay.core.errors import RepositoryError
from selfplay.environments.find_files.targets import resolve_targets
from selfplay.repos.repositories import Repositories
from selfplay.tasks.mine import CommitSelection, MinedTasks, MineSettings, MiningDrop, mine_tasks, split_by_time
from selfplay.tasks.prompt_leaks import LeakGrade
from tests.selfplay.tasks.mine.histories import DAY, START, History

ASK = "Uploads over two gigabytes are cut short"


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History.at(
        tmp_path / "app.git", app__io="def read():\n    return 1\n", app__net="def send():\n    return 2\n"
    )


def mine_history(history: History, **settings: object) -> MinedTasks:
    repositories = Repositories(history.git_dir.parent / "repos")
    return mine_tasks(repositories, str(history.git_dir), "HEAD", MineSettings.model_validate(settings))


def count_drops(history: History, **settings: object) -> dict[MiningDrop, int]:
    found = mine_history(history, **settings)
    assert found.funnel.seen == found.funnel.tasks + found.funnel.drops.total()
    return {drop: count for drop, count in found.funnel.drops.items() if count}


def test_a_message_asks_at_the_parent_and_the_changed_file_answers(history: History) -> None:
    parent = history.tips["main"]
    fix = history.commit(f"{ASK}\n\nCloses #12\n", {b"app/io.py": b"def read():\n    return 3\n"})
    [task] = mine_history(history).tasks
    assert (task.brief.commit, task.brief.prompt) == (parent, ASK)
    assert [t.path for t in task.answer.targets] == ["app/io.py"]
    assert task.meta["fix"] == fix
    assert task.meta["issues"] == [12]
    assert task.meta["left_out"] == {"references": 1}
    assert task.meta["leak"] == "nothing"
    assert task.answer.patch is not None
    assert "+    return 3" in task.answer.patch


def test_every_mined_task_fits_its_repository(history: History) -> None:
    for number in range(6):
        history.commit(f"Make the number {'abcdef'[number] * 5} for everyone", {b"app/io.py": b"x = %d\n" % number})
    repositories = Repositories(history.git_dir.parent / "repos")
    tasks = mine_tasks(repositories, str(history.git_dir), "HEAD", MineSettings()).tasks
    assert len(tasks) == 6
    for task in tasks:
        snapshot = repositories.open(task.brief.repo, task.brief.commit)
        resolve_targets(task, snapshot)
        snapshot.close()


def test_new_files_tests_docs_vendored_and_generated_files_are_no_targets(history: History) -> None:
    others = (b"tests/test_io.py", b"docs/io.rst", b"vendor/lib.py", b"app/api_pb2.py", b"app/new.py", b"setup.cfg")
    history.commit("Add the rest of the project", dict.fromkeys(others[:4], b"1\n"))
    history.commit(ASK, {b"app/io.py": b"3\n", **dict.fromkeys(others, b"2\n")})
    [task] = mine_history(history).tasks
    assert task.answer.paths == ("app/io.py",)
    history.commit("Cover uploads with one more test case", {b"tests/test_io.py": b"9\n"})
    assert count_drops(history)[MiningDrop.NO_SOURCE] == 2
    assert mine_history(history, with_tests=True).funnel.tasks == 2


def test_a_removed_file_is_a_target_and_a_moved_one_is_not(history: History) -> None:
    history.commit("Network access is gone for good now", {b"app/net.py": None})
    assert [t.answer.paths for t in mine_history(history).tasks] == [("app/net.py",)]
    content = history.files[b"app/io.py"]
    history.commit("Put input and output elsewhere now", {b"app/io.py": None, b"app/inout.py": content})
    assert count_drops(history)[MiningDrop.ODD_CHANGE] == 1


@pytest.mark.parametrize(
    ("message", "author", "drop"),
    [
        ("Fix it", "Ada <a@b.c>", MiningDrop.SHORT_MESSAGE),
        ('Revert "Send uploads in several parts"', "Ada <a@b.c>", MiningDrop.REVERT),
        ("Bump version to 2.1.0 for the release", "Ada <a@b.c>", MiningDrop.RELEASE),
        ("Release 3.0 with all of the things", "Ada <a@b.c>", MiningDrop.RELEASE),
        ("Update all of the pinned things", "dependabot[bot] <x@y.z>", MiningDrop.BOT),
        ("word " * 2000, "Ada <a@b.c>", MiningDrop.LONG_MESSAGE),
        ("word " * 200_000, "Ada <a@b.c>", MiningDrop.LONG_MESSAGE),
        ("Signed-off-by: Ada Lovelace of London <a@b.c>", "Ada <a@b.c>", MiningDrop.SHORT_MESSAGE),
    ],
)
def test_a_commit_that_asks_nothing_is_left_with_its_reason(
    history: History, message: str, author: str, drop: MiningDrop
) -> None:
    history.commit(message, {b"app/io.py": b"3\n"}, author=author)
    assert count_drops(history) == {MiningDrop.ROOT: 1, drop: 1}


def test_people_are_no_bots_and_sentences_no_releases(history: History) -> None:
    history.commit("Release the lock when a worker dies", {b"app/io.py": b"3\n"}, author="Ann Abbot <ann@abbott.org>")
    history.commit("Update the cached length of a stream after a seek", {b"app/io.py": b"4\n"})
    assert mine_history(history).funnel.tasks == 2


def test_a_commit_that_was_taken_back_is_no_answer(history: History) -> None:
    bad = history.commit("Send uploads in several smaller parts", {b"app/io.py": b"3\n"})
    history.commit(f'Revert "Send uploads"\n\nThis reverts commit {bad[:12]}.', {b"app/io.py": b"4\n"})
    assert count_drops(history) == {MiningDrop.ROOT: 1, MiningDrop.REVERT: 1, MiningDrop.REVERTED: 1}


def test_size_limits_have_their_own_reasons(history: History) -> None:
    history.commit(
        "Change each of the many files at once", {b"d/%d.txt" % n: b"1\n" for n in range(4)} | {b"app/io.py": b"1"}
    )
    history.commit("Change many of the lines at once", {b"app/io.py": b"1\n" * 300})
    history.commit("Let the reader and the sender share a lock", {b"app/io.py": b"1\n" * 299, b"app/net.py": b"2\n"})
    found = count_drops(history, max_files=4, max_lines=200, max_targets=1)
    assert found == {MiningDrop.ROOT: 1, MiningDrop.MANY_FILES: 1, MiningDrop.MANY_LINES: 1, MiningDrop.MANY_TARGETS: 1}


def test_large_binary_and_generated_targets_are_left(history: History) -> None:
    history.commit("Prepare the three other source files", {
        b"a.py": b"x" * 5000, b"b.py": b"\0\1", b"c.py": b"# Code generated by tool. DO NOT EDIT.\n"})  # fmt: skip
    for name in (b"a.py", b"b.py", b"c.py"):
        history.commit(f"Change what the file {name[:1].decode() * 6} holds", {name: b"1\n"})
    found = count_drops(history, max_file_bytes=4000)
    assert found == {
        MiningDrop.ROOT: 1,
        MiningDrop.NEW_ONLY: 1,
        MiningDrop.LARGE_TARGET: 1,
        MiningDrop.BINARY: 1,
        MiningDrop.GENERATED: 1,
    }


def test_dates_bound_the_commits(history: History) -> None:
    for number in range(4):
        history.commit(f"{ASK} {'abcd'[number] * 4}", {b"app/io.py": b"%d\n" % number}, time=START + number * DAY)
    first = datetime.fromtimestamp(START, UTC).date()
    found = mine_history(
        history, since=date.fromordinal(first.toordinal() + 1), until=date.fromordinal(first.toordinal() + 2)
    )
    assert [task.brief.prompt[-4:] for task in found.tasks] == ["bbbb", "cccc"]


def test_a_merge_is_mined_for_what_it_brings_and_without_its_first_line(history: History) -> None:
    base = history.tips["main"]
    side = history.commit("Read three bytes at once", {b"app/io.py": b"3\n"}, branch="side", parents=(base,))
    text = f"Merge pull request #7 from ada/side\n\n{ASK}"
    history.commit(text, {}, parents=(base, side))
    [task] = mine_history(history, commits=CommitSelection.MERGE).tasks
    assert (task.brief.commit, task.brief.prompt, task.answer.paths) == (base, ASK, ("app/io.py",))
    assert task.meta["issues"] == [7]
    assert [t.brief.prompt for t in mine_history(history, commits=CommitSelection.MAINLINE).tasks] == [ASK]
    assert [t.brief.prompt for t in mine_history(history).tasks] == ["Read three bytes at once"]


def test_a_bare_merge_says_too_little(history: History) -> None:
    base = history.tips["main"]
    side = history.commit("Read three bytes at once", {b"app/io.py": b"3\n"}, branch="side", parents=(base,))
    history.commit("Merge branch 'side' into main", {}, parents=(base, side))
    assert count_drops(history, commits=CommitSelection.MERGE)[MiningDrop.SHORT_MESSAGE] == 1


def test_what_was_copied_to_another_branch_is_mined_once(history: History) -> None:
    history.commit("Import the third of all files", {b"app/third.py": b"1\n"})
    for number, path in enumerate((b"app/io.py", b"app/net.py", b"app/third.py")):
        end = "" if number < 2 else " again"
        message = "The parser loses its place after a very long comment in the first line of a file" + end
        history.commit(message, {path: b"%d\n" % (number + 5)})
    found = mine_history(history)
    assert [task.answer.paths for task in found.tasks] == [("app/io.py",)]
    assert (found.funnel.drops[MiningDrop.DUPLICATE], found.funnel.drops[MiningDrop.NEAR_DUPLICATE]) == (1, 1)
    assert mine_history(history, near_duplicates=None).funnel.tasks == 2


def test_drawing_is_the_same_every_time_and_grows_with_the_count(history: History) -> None:
    for number in range(12):
        word = "abcdefghijkl"[number] * 6
        history.commit(f"The {word} is not {word} enough", {b"app/io.py": b"%d\n" % number})
    ids = [{t.brief.id for t in mine_history(history, count=n).tasks} for n in (4, 4, 8)]
    assert ids[0] == ids[1]
    assert ids[0] < ids[2]
    assert {t.brief.id for t in mine_history(history, count=4, seed=1).tasks} != ids[0]
    assert count_drops(history, count=4)[MiningDrop.NOT_DRAWN] == 8


def test_a_directory_gives_at_most_its_share(history: History) -> None:
    for number in range(3):
        history.commit(f"The {'abc'[number] * 6} is far too slow", {b"app/io.py": b"%d\n" % number})
    assert count_drops(history, per_directory=1)[MiningDrop.FULL_DIRECTORY] == 2


def test_what_names_too_much_can_be_left(history: History) -> None:
    history.commit("Close the stream in app/io.py when reading fails", {b"app/io.py": b"3\n"})
    [task] = mine_history(history).tasks
    assert (task.meta["leak"], task.meta["leaked"]) == ("path", ["app/io.py"])
    assert count_drops(history, max_leak=LeakGrade.MODULE)[MiningDrop.LEAK] == 1


def test_the_newest_share_is_for_validation(history: History) -> None:
    for number in range(4):
        history.commit(f"The {'abcd'[number] * 6} is far too slow", {b"app/io.py": b"%d\n" % number})
    sides = [task.meta["split"] for task in split_by_time(mine_history(history).tasks, 0.25)]
    assert sides == ["train", "train", "train", "validation"]


def test_functions_that_changed_are_the_targets(history: History) -> None:
    before = b"import os\n\ndef one():\n    return 1\n\nclass A:\n    def two(self):\n        return 2\n"
    history.commit("Import the module with two functions", {b"app/m.py": before})
    after = before.replace(b"import os", b"import re").replace(b"return 2", b"return 3")
    history.commit("The second number is off by one", {b"app/m.py": after})
    [task] = mine_history(history, functions=True).tasks
    assert [(t.path, t.symbol) for t in task.answer.targets] == [("app/m.py", "A.two")]
    history.commit("Say where the numbers came from", {b"app/m.py": after.replace(b"import re", b"import sys")})
    assert count_drops(history, functions=True)[MiningDrop.NO_FUNCTION] == 1


def test_definitions_count_as_targets_too(history: History) -> None:
    before = b"def one():\n    return 1\n\ndef two():\n    return 2\n"
    history.commit("Import the module with two functions", {b"app/m.py": before})
    history.commit("Every number is off by three", {b"app/m.py": before.replace(b"return ", b"return 3 + ")})
    assert len(mine_history(history, functions=True).tasks[0].answer.targets) == 2
    assert count_drops(history, functions=True, max_targets=1)[MiningDrop.MANY_TARGETS] == 1


def test_strange_names_and_bytes_do_not_disturb_the_rest(history: History) -> None:
    names = (b"app/new\nline.py", b"app/caf\xe9.py", b"app/:100644 100644.py", b'app/q"uote.py', b"app/tab\t.py")
    history.commit("Import some strange files here", dict.fromkeys(names, b"1\n"))
    history.commit(b"Strange files are all wrong \xff\xfe here", dict.fromkeys(names, b"2\n"))
    history.commit(ASK, {b"app/io.py": b"3\n"})
    found = mine_history(history)
    assert {task.brief.prompt for task in found.tasks} == {ASK, "Strange files are all wrong \ufffd\ufffd here"}
    odd = next(task for task in found.tasks if len(task.answer.targets) == 5)
    assert r"app/new\nline.py" in odd.answer.paths
    assert r"app/caf\xe9.py" in odd.answer.paths


def test_a_message_that_looks_like_gits_output_stays_a_message(history: History) -> None:
    zeros = "0" * 40
    text = f"Keep these odd lines here\n:100644 100644 {zeros} {zeros} M\ncommit {zeros}\ndiff --git a/x b/x"
    history.commit(text, {b"app/io.py": b"-- x\n++ y\n"})
    history.commit("Then swap the very odd signs", {b"app/io.py": b"diff --git a/x b/x\n++ y\n"})
    found = mine_history(history)
    assert found.funnel.seen == 3
    assert found.tasks[0].brief.prompt.startswith("Keep these odd lines here\n:100644")
    assert [task.answer.paths for task in found.tasks] == [("app/io.py",)] * 2


@pytest.mark.parametrize(
    "who",
    [
        b"Ada <ada@example.com>",
        b"Ada <ada@example.com> -5 +0000",
        b"Ada <ada@example.com> " + b"9" * 5000 + b" +0000",
        b"Ada <ada@example.com> 12x +0000",
        b"Ada ada@example.com 1700000000 +0000",
        b" <> -1 +0000",
        b"1700000000 +0000",
        b"",
    ],
    ids=lambda who: who[:32].decode() or "nothing",
)
def test_a_commit_without_a_time_or_an_author_is_mined_as_one_of_1970(history: History, who: bytes) -> None:
    history.commit(ASK, {b"app/io.py": b"3\n"}, who=who)
    history.commit("Sending over slow lines never ends", {b"app/net.py": b"4\n"})
    found = mine_history(history)
    first, _ = found.tasks
    assert first.brief.prompt == ASK, "it is the oldest"
    assert first.meta["date"] == "1970-01-01T00:00:00Z"
    assert count_drops(history, since="2000-01-01") == {MiningDrop.ROOT: 1, MiningDrop.DATE: 1}


def test_an_author_without_name_and_mail_is_no_reason_against_a_commit(history: History) -> None:
    history.commit(ASK, {b"app/io.py": b"3\n"}, author=" <>")
    assert mine_history(history).funnel.tasks == 1


def test_commits_without_changes_are_read(history: History) -> None:
    history.commit("Nothing at all happens in here", {})
    history.commit("Nothing at all happens in here too", {})
    assert count_drops(history) == {MiningDrop.ROOT: 1, MiningDrop.NO_SOURCE: 2}


def test_the_sources_configuration_starts_nothing(history: History, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    evil = tmp_path / "evil.sh"
    evil.write_text(f"#!/bin/sh\ntouch {mark}\n")
    evil.chmod(0o755)
    for key in ("log.showSignature", "core.fsmonitor", "diff.external", "gpg.program", "diff.x.textconv"):
        history.git("config", key, "true" if key == "log.showSignature" else str(evil))
    (history.git_dir / "info").mkdir(exist_ok=True)
    (history.git_dir / "info" / "attributes").write_text("*.py diff=x filter=x\n")
    history.commit(ASK, {b"app/io.py": b"3\n"})
    assert mine_history(history).funnel.tasks == 1
    assert not mark.exists()


def test_a_missing_revision_is_an_error(history: History) -> None:
    repositories = Repositories(history.git_dir.parent / "repos")
    with pytest.raises(RepositoryError, match="no commit 'nowhere'"):
        mine_tasks(repositories, str(history.git_dir), "nowhere", MineSettings())
