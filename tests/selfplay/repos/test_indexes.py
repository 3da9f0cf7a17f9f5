import json
from pathlib import Path

import pytest

from selfplay.cli import main
from selfplay.core.errors import RepositoryError
from selfplay.repos.repositories import Repositories, build_index, summarise_index
from selfplay_tools.tools.toolbox import Toolbox
from tests.repositories import make_work_tree


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return make_work_tree(tmp_path / "app")


def test_an_index_built_ahead_is_there_for_every_later_process(repo: Path, tmp_path: Path) -> None:
    repositories = Repositories(tmp_path / "repos")
    assert summarise_index(repositories, str(repo)).blobs == 0
    heard: list[tuple[int, int]] = []
    commit = build_index(repositories, str(repo), "HEAD", lambda done, total: heard.append((done, total)))
    result = summarise_index(Repositories(tmp_path / "repos"), str(repo))
    assert (result.blobs, result.commits) == (2, (commit,))
    assert result.bytes > 0
    assert heard[-1][0] == heard[-1][1]
    snapshot = repositories.open(str(repo), "HEAD")
    assert "sub/b.py" in Toolbox(snapshot).run("grep", '{"pattern": "2"}').text
    snapshot.close()


def test_a_directory_has_no_index_to_build(repo: Path, tmp_path: Path) -> None:
    with pytest.raises(RepositoryError, match="name a commit"):
        build_index(Repositories(tmp_path / "repos"), str(repo), "worktree")


def test_an_index_that_cant_be_written_is_an_error(repo: Path, tmp_path: Path) -> None:
    repositories = Repositories(tmp_path / "repos")
    (tmp_path / "repos").mkdir()
    (tmp_path / "repos" / ".index").write_text("in the way")
    with pytest.raises(RepositoryError, match="can't be indexed"):
        build_index(repositories, str(repo), "HEAD")


def test_the_command_builds_and_tells(repo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ([str(repo)], [f"{repo}@HEAD", "--stats"]):
        with pytest.raises(SystemExit) as ended:
            main(["index", *arguments, "--repos", str(tmp_path / "repos"), "--json"])
        assert not ended.value.code
        result = json.loads(capsys.readouterr().out)
        assert result["blobs"] == 2
        assert len(result["commits"]) == 1
