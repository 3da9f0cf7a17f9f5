import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfplay_tools.code.enclosing_definitions import EnclosingDefinitions, names_a_definition

PYTHON = """\
import os
class App:
    name = "here"
    async def run(
        self,
    ) -> None:
# a comment at the edge
        if self:
            def inner():
                "here"
        "here"
    LAST = "here"
if os:
    "here"
def last(): "here"
"""
C = """\
#include <here.h>
static int probe(struct dev *dev,
\t\t const char *here)
{
\tlist_for_each(pos, head) {
\t\tif (here)
\t\t\tgoto out;
#ifdef here
\t}
out:
\treturn here;
}
#define here 1
static struct ops ops = {
\t.here = here,
};
struct state {
\tunion {
\t\tint here;
\t};
};
EXPORT(here);
#define LOOP(x) \\
\there(x)
"""
CPP = """\
namespace net {
class Socket : public Base, Other {
 public:
  void send(int here)
  {
    std::cout << here(1,
        here);
  }
  int size_;  // here
};
}
"""
JAVA = """\
public class Shop<T> extends Base implements Other {
    private final int here = 1;
    @Override
    public List<String> names(int here) {
        return new Reader(
            here);
    }
}
"""
SCRIPT = """\
export class Shop extends Base {
  async names(one: string): Promise<void> {
    for (const x of here) {
      here;
    }
  }
}
const later = async (x) => {
  here;
};
describe('a', function () {
  it('b', () => {
    here;
  });
});
here;
"""
GO = """\
func (s *Server) Close() error {
\tgo func() {
\t\there()
\t}()
}
type T struct {
\there int
}
var here = 1
"""
RUST = """\
impl<T> Shop<T> {
    pub(crate) async fn names(&self) -> u8 {
        match here {
            here => 1,
        }
    }
    const HERE: u8 = here;
}
"""
RUBY = """\
module Shop
  class Cart
    def self.names
      here.each do |x|
        here
      end
    end
    here
  end
end
"""


LinesAround = list[tuple[int, list[int]]]
"""By each line (from 1) with a word: the lines of the definitions around it."""


def find_lines_around(path: str, text: str, word: str = "here") -> LinesAround:
    source = text.encode()
    enclosing = EnclosingDefinitions(path, source, 0)
    starts = starts_of(source)
    return [
        (number + 1, [one.number + 1 for one in enclosing.find_around(number, starts[number])])
        for number, line in enumerate(text.split("\n")[:-1])
        if word in line
    ]


def starts_of(source: bytes) -> list[int]:
    lines = source.split(b"\n")[:-1]
    return [sum(len(line) + 1 for line in lines[:number]) for number in range(len(lines))]


CASES: list[tuple[str, str, LinesAround]] = [
    ("a.py", PYTHON, [(3, [2]), (10, [2, 4, 9]), (11, [2, 4]), (12, [2]), (14, []), (15, [])]),
    (
        "a.c",
        C,
        [
            (1, []),
            (3, [2]),
            (6, [2]),
            (8, [2]),
            (11, [2]),
            (13, []),
            (15, [14]),
            (19, [17, 18]),
            (22, []),
            (24, [23]),
        ],
    ),
    ("a.hpp", CPP, [(4, [2]), (6, [2, 4]), (7, [2, 4]), (9, [2])]),
    ("A.java", JAVA, [(2, [1]), (4, [1]), (6, [1, 4])]),
    ("a.ts", SCRIPT, [(3, [1, 2]), (4, [1, 2]), (9, [8]), (13, [11, 12]), (16, [])]),
    ("a.go", GO, [(3, [1]), (7, [6]), (9, [])]),
    ("a.rs", RUST, [(3, [1, 2]), (4, [1, 2]), (7, [1])]),
    ("a.rb", RUBY, [(4, [1, 2, 3]), (5, [1, 2, 3]), (8, [1, 2])]),
    ("a.txt", PYTHON, [(3, []), (10, []), (11, []), (12, []), (14, []), (15, [])]),
]


@pytest.mark.parametrize(("path", "text", "expected"), CASES, ids=[path for path, _, _ in CASES])
def test_a_line_lies_in_the_definitions_above_it_that_are_less_indented(
    path: str, text: str, expected: LinesAround
) -> None:
    assert find_lines_around(path, text) == expected


LINES = st.lists(
    st.sampled_from(
        ["class A:", "  def f():", "    def g():", "    x", "      x", "x", "", "  ", "\tx", "# c", "  )", "é" * 900]
    ),
    max_size=30,
)


@given(lines=LINES, extra=st.integers(0, 5_000))
def test_what_was_asked_before_changes_nothing(lines: list[str], extra: int) -> None:
    text = "    x\n" * extra + "".join(f"{line}\n" for line in lines)
    source = text.encode()
    starts = [len(b"    x\n") * extra + start for start in starts_of(source[len(b"    x\n") * extra :])]
    together = EnclosingDefinitions("a.py", source, 0)
    for number, start in enumerate(starts, extra):
        assert together.find_around(number, start) == EnclosingDefinitions("a.py", source, 0).find_around(number, start)


@given(before=st.binary(max_size=50), lines=LINES)
def test_what_stands_before_the_text_in_the_buffer_changes_nothing(before: bytes, lines: list[str]) -> None:
    source = "".join(f"{line}\n" for line in lines).encode()
    one, other = EnclosingDefinitions("a.py", source, 0), EnclosingDefinitions("a.py", before + source, len(before))
    for number, start in enumerate(starts_of(source)):
        found = [(of.number, of.start) for of in one.find_around(number, start)]
        assert [(of.number, of.start - len(before)) for of in other.find_around(number, start + len(before))] == found


@pytest.mark.parametrize(
    ("path", "line", "match", "expected"),
    [
        ("a.py", "    def close(self, close_all):", "close(", True),
        ("a.py", "    def shut(self, close):", "close", False),
        ("a.py", "close(self)", "close", False),
        ("a.py", "class Closer(Base):", "Base", False),
        ("a.go", "func (s *Server) Close() error {", "Close", True),
        ("a.rs", "pub(crate) fn close(&self) {", "close", True),
        ("a.c", "static int close_dev(struct dev *dev)", "close", True),
        ("a.c", "int close_dev(struct dev *dev);", "close", False),
        ("a.c", "#define CLOSED 1", "CLOSED", True),
        ("a.c", "\tclose_dev(dev,", "close", False),
        ("a.ts", "const close = async () => {", "close", True),
        ("notes.txt", "def close():", "close", False),
    ],
)
def test_what_matched_is_defined_where_it_stands_before_parameters_and_value(
    path: str, line: str, match: str, *, expected: bool
) -> None:
    assert names_a_definition(path, line, line.index(match)) is expected
