import json
from collections.abc import Callable, Mapping

import pytest

from selfplay_tools.tools.tool import AnswerFile, CallResult
from selfplay_tools.tools.toolbox import Toolbox

Make = Callable[[Mapping[str, str | bytes]], Toolbox]

TREE = {"a.py": "x\n", "src/b.py": "y\n", "alias.py": "->a.py", "blob": b"\0"}


def finish(toolbox: Toolbox, *files: tuple[str, str]) -> CallResult:
    return toolbox.run("finish", json.dumps({"files": [{"path": path, "reason": reason} for path, reason in files]}))


def test_the_answer_is_kept_in_order_under_real_paths(toolbox_on: Make) -> None:
    result = finish(toolbox_on(TREE), ("./src//b.py", " sends it "), ("alias.py", "reads it"), ("blob", "data"))
    assert result == CallResult(
        "Recorded 3 files.",
        answer=(
            AnswerFile(path="src/b.py", reason="sends it"),
            AnswerFile(path="a.py", reason="reads it"),
            AnswerFile(path="blob", reason="data"),
        ),
    )


def test_every_problem_is_named_and_nothing_is_recorded(toolbox_on: Make) -> None:
    result = finish(
        toolbox_on(TREE), ("a.py", "x"), ("alias.py", "x"), ("src", "x"), ("src/c.py", "x"), ("src/b.py", " ")
    )
    assert not result.ok
    assert result.answer is None
    assert result.text.split("\n") == [
        "nothing was recorded; call finish again with the whole list:",
        "- file 2: 'a.py' is named twice; name each file once",
        "- file 3: 'src' is a folder, not a file; use list_dir to see what is in it",
        "- file 4: no file or folder 'src/c.py'; did you mean 'src/b.py', 'a.py'?",
        "- file 5: 'src/b.py' has an empty reason; say why it matters",
    ]


@pytest.mark.parametrize(("count", "is_fine"), [(0, False), (1, True), (20, True), (21, False)])
def test_one_to_twenty_files_are_an_answer(toolbox_on: Make, count: int, *, is_fine: bool) -> None:
    toolbox = toolbox_on({f"{number}": "" for number in range(21)})
    assert finish(toolbox, *[(f"{number}", "why") for number in range(count)]).ok is is_fine
