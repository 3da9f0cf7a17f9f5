import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfplay_tools.index.path_fields import LOW_PRIORITY_KINDS, find_low_priority_paths
from selfplay_tools.index.words import find_declared_names


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("def add(a, b):", "add"),
        ("    async def fetch(self):", "fetch"),
        ("class Reader(Base):", "Reader"),
        ("MAX_SIZE = 10", "MAX_SIZE"),
        ("func (c *Context) Render(code int) {", "Render"),
        ("type Engine struct {", "Engine"),
        ("pub(crate) fn search<P>(path: P) -> Result {", "search"),
        ("impl<T> Display for Wrapper<T> {", "Display"),
        ("static int parse_line(const char *line)", "parse_line"),
        ("#define MAX_LEN 10", "MAX_LEN"),
        ("typedef struct client {", "client"),
        ("    public static String join(String... parts) {", "join"),
        ("export const render = (node) => {", "render"),
        ("exports.send = function send(body) {", "send"),
        ("  handle(request, response) {", "handle"),
        ("  def self.call(env)", "call"),
    ],
)
def test_a_line_that_defines_gives_its_name(line: str, name: str) -> None:
    assert set(find_declared_names(f"{line}\n".encode())) == {name.encode()}


@pytest.mark.parametrize(
    "line",
    [
        "    value = other",
        "    if (ready) {",
        "    return call(a)",
        "call(a, b);",
        "    while (true) {",
        "x == y",
        "import (",
        "# a class of its own",
    ],
)
def test_other_lines_give_none(line: str) -> None:
    assert find_declared_names(f"{line}\n".encode()) == []


@given(before=st.lists(st.sampled_from(["def a(): ...", "x", "y = 1", "  z(1) {", "#define B 2"])))
def test_each_line_is_read_by_itself(before: list[str]) -> None:
    whole = find_declared_names("".join(f"{line}\n" for line in before).encode())
    single = [name for line in before for name in find_declared_names(f"{line}\n".encode())]
    assert sorted(whole) == sorted(single)


def kinds_of(path: str) -> list[int]:
    return [at for at, (_, places) in enumerate(find_low_priority_paths(["src/app.py", path])) if 1 in places]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("tests/app.py", [0]),
        ("src/app_test.go", [0]),
        ("src/app.spec.ts", [0]),
        ("lib/conftest.py", [0]),
        ("src/AppTest.java", [0]),
        ("docs/app.py", [1]),
        ("README.md", [1]),
        ("CHANGES", [1]),
        ("vendor/lib/a.c", [2]),
        ("package-lock.json", [2]),
        ("tests/data/a.json", [0, 2]),
        ("src/contest.py", []),
        ("src/attestation/app.py", []),
        ("src/documents.py", []),
    ],
)
def test_what_lies_off_the_track(path: str, expected: list[int]) -> None:
    assert kinds_of(path) == expected


@given(paths=st.lists(st.text("ab/.tes\n", max_size=8), max_size=20))
def test_each_path_is_looked_at_by_itself(paths: list[str]) -> None:
    single = [
        [at for at, path in enumerate(paths) if 0 in find_low_priority_paths([path])[kind][1]]
        for kind in range(len(LOW_PRIORITY_KINDS))
    ]
    assert [places.tolist() for _, places in find_low_priority_paths(paths)] == single
