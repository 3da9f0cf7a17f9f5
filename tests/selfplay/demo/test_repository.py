"""The demo's code base: a real server, one commit, and a patch that does what the task asks for."""

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from selfplay.core.errors import RepositoryError
from selfplay.demo.repository import CODE_BASE, PATCH, PROMPT, TARGETS, demo_task, make_repository, read_files
from selfplay_tools.git import git_environment

COMMIT = "8a4b63355ed425bd7a534c67f49bd94943df9ba2"
LOOK_ALIKES = (
    "docs/headers.md",
    "src/lantern/client/response.py",
    "src/lantern/http/headers.py",
    "src/lantern/http/response.py",
    "src/lantern/middleware/security_headers.py",
    "src/lantern/proxy/headers.py",
    "src/lantern/sessions/fingerprint.py",
    "src/lantern/static/validators.py",
    "src/lantern/tls/fingerprint.py",
)
FINGERPRINT = "Server-Fingerprint"

# The example's routes and files on a free port; ends with its standard input.
SERVE = """
import sys
from pathlib import Path
sys.path.insert(0, "examples")
from hello import app
from lantern.config.settings import Limits, Settings, StaticMount
from lantern.core.server import Server
from lantern.static.files import StaticFiles
app.router.mount("/files", StaticFiles(StaticMount(prefix="/files", root=Path("examples/public"))))
app.router.add("/bug", lambda request: 1 / 0)
with Server(app, Settings(port=0, instance="test", limits=Limits(header_fields=5))) as server:
    print(server.url, flush=True)
    sys.stdin.read()
"""

RAW = {
    "a route": (b"GET /square/7 HTTP/1.1\r\nHost: a\r\n\r\n", 200),
    "a static file": (b"GET /files/ HTTP/1.1\r\nHost: a\r\n\r\n", 200),
    "an old client": (b"GET /files/style.css HTTP/1.0\r\n\r\n", 200),
    "no content": (b"OPTIONS /echo HTTP/1.1\r\nHost: a\r\n\r\n", 204),
    "an unchanged file": (b"GET /files/style.css HTTP/1.1\r\nHost: a\r\nIf-None-Match: *\r\n\r\n", 304),
    "HEAD": (b"HEAD /files/style.css HTTP/1.1\r\nHost: a\r\n\r\n", 200),
    "nothing there": (b"GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n", 404),
    "a wrong method": (b"DELETE /echo HTTP/1.1\r\nHost: a\r\n\r\n", 405),
    "a bug in a handler": (b"GET /bug HTTP/1.1\r\nHost: a\r\n\r\n", 500),
    "a chunk without size": (b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", 400),
    "an interim response": (
        b"POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi",
        100,
    ),
    "a malformed request line": (b"what is this\r\n\r\n", 400),
    "another protocol": (b"\x16\x03\x01\x02\x00\x01\x00\n", 400),
    "no host": (b"GET / HTTP/1.1\r\n\r\n", 400),
    "too many headers": (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 6 + b"\r\n", 431),
    "a later version": (b"GET / HTTP/2.0\r\n\r\n", 505),
}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_repository(tmp_path_factory.mktemp("demo") / "plain")[0]


@pytest.fixture(scope="module")
def patched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = make_repository(tmp_path_factory.mktemp("demo") / "patched")[0]
    run_git(where, "apply", "--whitespace=error", str(PATCH))
    return where


def run_git(where: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=where, env=git_environment(), capture_output=True, check=True
    ).stdout.decode()


def start_python(where: Path, *arguments: str, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[str]:
    variables = {**os.environ, "PYTHONPATH": str(where / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.Popen(
        [sys.executable, "-W", "error", *arguments],
        cwd=where,
        env=variables,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def serve_tree(where: Path) -> Iterator[tuple[str, int]]:
    """The address of a server that runs the tree's code."""
    with start_python(where, "-c", SERVE, stdin=subprocess.PIPE) as process:
        assert process.stdout is not None
        host, _, port = process.stdout.readline().strip().removeprefix("http://").partition(":")
        yield host, int(port)
        process.communicate(timeout=10)
    assert process.returncode == 0


@pytest.fixture(scope="module")
def plain_server(plain: Path) -> Iterator[tuple[str, int]]:
    yield from serve_tree(plain)


@pytest.fixture(scope="module")
def patched_server(patched: Path) -> Iterator[tuple[str, int]]:
    yield from serve_tree(patched)


@pytest.fixture(params=["plain_server", "patched_server"])
def server(request: pytest.FixtureRequest) -> tuple[str, int]:
    address: tuple[str, int] = request.getfixturevalue(request.param)
    return address


def receive_head(address: tuple[str, int], sent: bytes) -> tuple[int, dict[str, str]]:
    """Status and headers of the first response to some bytes."""
    with socket.create_connection(address, 5) as sock:
        sock.sendall(sent)
        received = b""
        while b"\r\n\r\n" not in received and (block := sock.recv(4096)):
            received += block
    status_line, *lines = received.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    return int(status_line.split(" ")[1]), dict(line.split(": ", 1) for line in lines)


def test_the_commit_is_the_same_on_every_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the user's git configuration nor the umask has a say."""
    (tmp_path / ".gitconfig").write_text("[core]\n\tautocrlf = true\n\tfileMode = false\n[user]\n\tname = me\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_AUTHOR_DATE", "2001-01-01T00:00:00Z")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    before = os.umask(0o077)
    try:
        path, commit = make_repository(tmp_path / "deep" / "down" / "lantern")
    finally:
        os.umask(before)
    assert (path, commit) == (tmp_path / "deep" / "down" / "lantern", COMMIT)
    assert run_git(path, "status", "--porcelain") == ""
    assert (
        run_git(path, "log", "--format=%an %ad %s", "--date=iso") == "lantern 2026-01-01 00:00:00 +0000 lantern 0.9.2\n"
    )
    assert [path.name for path in (tmp_path / "deep" / "down").iterdir()] == ["lantern"]


def test_making_it_again_changes_nothing(tmp_path: Path) -> None:
    made = make_repository(tmp_path / "lantern")
    (made[0] / "README.md").write_text("mine now")
    assert make_repository(tmp_path / "lantern") == made
    assert (made[0] / "README.md").read_text() == "mine now"


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    assert make_repository(tmp_path) == (tmp_path, COMMIT)


def test_what_is_in_the_way_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "lantern").mkdir()
    (tmp_path / "lantern" / "thesis.txt").write_text("ten years")
    (tmp_path / "file").write_text("a file")
    for name in ("lantern", "file", "file/below"):
        with pytest.raises(RepositoryError, match=re.escape(str(tmp_path / name))):
            make_repository(tmp_path / name)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "lantern", "thesis.txt"]


def test_bytecode_and_foreign_line_ends_do_not_get_in(tmp_path: Path) -> None:
    (tmp_path / "b" / "__pycache__").mkdir(parents=True)
    (tmp_path / "b" / "__pycache__" / "x.pyc").write_bytes(b"x")
    (tmp_path / "b" / "x.py").write_bytes(b"x = 1\r\ny = 2\r\n")
    (tmp_path / ".a").write_bytes(b"")
    assert read_files(tmp_path) == {".a": b"", "b/x.py": b"x = 1\ny = 2\n"}


def test_the_tree_holds_the_targets_and_what_looks_like_them(plain: Path) -> None:
    listed = run_git(plain, "ls-files").splitlines()
    assert listed == list(read_files(CODE_BASE))
    assert len(listed) >= 45
    assert set(LOOK_ALIKES) | set(TARGETS) <= set(listed)


def test_scripts_are_executable_and_nothing_else_is(plain: Path) -> None:
    modes = {line.split("\t")[1]: line[:6] for line in run_git(plain, "ls-files", "--stage").splitlines()}
    assert {path for path, mode in modes.items() if mode == "100755"} == {
        "scripts/make_certificate.sh",
        "scripts/probe.py",
    }
    assert set(modes.values()) == {"100644", "100755"}


def test_no_target_is_named_after_the_task() -> None:
    said = set(re.findall(r"[a-z]+", PROMPT.lower()))
    for path in TARGETS:
        assert not said & set(re.findall(r"[a-z]+", path))


def test_the_patch_changes_the_targets_and_nothing_else(patched: Path) -> None:
    assert sorted(run_git(patched, "diff", "--name-only").splitlines()) == sorted(TARGETS)


def test_the_task_says_it_in_the_words_of_the_demo(plain: Path) -> None:
    task = demo_task(plain, COMMIT)
    assert (task.brief.repo, task.brief.commit, task.brief.prompt) == (str(plain), COMMIT, PROMPT)
    assert task.answer.paths == TARGETS
    assert task.answer.patch == PATCH.read_text()
    assert type(task).model_validate_json(task.model_dump_json()) == task


@pytest.mark.parametrize("tree", ["plain", "patched"])
def test_the_servers_own_tests_pass(tree: str, request: pytest.FixtureRequest) -> None:
    where: Path = request.getfixturevalue(tree)
    with start_python(where, "-m", "unittest", "discover", "-s", "tests", "-t", ".") as process:
        assert process.wait(timeout=60) == 0


def test_one_connection_carries_several_requests(server: tuple[str, int]) -> None:
    connection = http.client.HTTPConnection(*server, timeout=5)
    try:
        connection.connect()
        used = connection.sock
        for method, path, body, expected in (
            ("GET", "/square/12", None, b'{"number":12,"square":144}'),
            ("POST", "/echo", b"hello", b"hello"),
            ("HEAD", "/files/style.css", None, b""),
            ("POST", "/greet", b"name=%3Cb%3E", b"<p>Hello, &lt;b&gt;!</p>"),
            ("GET", "/files/style.css", None, (CODE_BASE / "examples/public/style.css").read_bytes()),
        ):
            connection.request(method, path, body)
            response = connection.getresponse()
            assert (response.status, response.read()) == (200, expected)
            assert connection.sock is used
    finally:
        connection.close()


@pytest.mark.parametrize(("sent", "status"), RAW.values(), ids=RAW)
def test_every_kind_of_response_is_given(server: tuple[str, int], sent: bytes, status: int) -> None:
    found, headers = receive_head(server, sent)
    assert found == status
    assert headers["Server"].startswith("lantern/")


def test_before_the_patch_no_response_says_which_server_it_is(plain_server: tuple[str, int]) -> None:
    assert not [name for name, (sent, _) in RAW.items() if FINGERPRINT in receive_head(plain_server, sent)[1]]


def test_after_the_patch_every_response_does(patched_server: tuple[str, int]) -> None:
    said = {name: receive_head(patched_server, sent)[1].get(FINGERPRINT, "") for name, (sent, _) in RAW.items()}
    assert len(set(said.values())) == 1, said
    assert re.fullmatch("[0-9a-f]{16}", said["a route"])


def test_it_runs_from_its_configuration_and_stops_in_order(plain: Path) -> None:
    with start_python(plain, "-m", "lantern", "--config", "examples/lantern.toml", "--port", "0") as process:
        assert process.stdout is not None
        introduction = process.stdout.readline()
        port = int(introduction.rpartition(":")[2])
        assert "instance example" in introduction
        assert receive_head(("127.0.0.1", port), b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")[0] == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0
