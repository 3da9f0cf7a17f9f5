"""What trainers make of the files: `datasets` loads them as they are, and chat templates lose and repeat nothing.

The templates are those that TRL ships; they are read from its files, which need no torch.
"""

import re
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from typing import Any

import orjson
import pytest

from selfplay.clean.stages.strip import strip_supervision
from selfplay.core.message import ToolCall
from selfplay.core.trace import Quality, Step, Trace
from selfplay.export.formats import FORMATS
from selfplay.export.formats.openai_chat import OPENAI
from selfplay.export.formats.trl import TRL, trl_row
from selfplay.export.write_rows import write_rows
from tests.selfplay.traces import (
    TASK_TEXT,
    a_call,
    a_contract,
    a_result,
    a_search,
    a_step,
    a_trace,
    as_clean_traces,
    finish,
)

datasets = pytest.importorskip("datasets", reason="the trainers group is not installed")
templating = pytest.importorskip("transformers.utils.chat_template_utils", reason="the trainers group is not installed")

PAGE = (Path(__file__).parents[3] / "docs" / "formats.md").read_text("utf-8")
CONTRACT = a_contract()
MARK = re.compile(r"«\w+»")
Row = dict[str, Any]


def load_rows(path: Path, cache: Path) -> list[Row]:
    data = datasets.load_dataset("json", data_files=str(path), split="train", cache_dir=str(cache))
    return list(data)


@pytest.mark.parametrize("form", FORMATS)
def test_datasets_loads_the_rows_as_they_are(form: str, tmp_path: Path) -> None:
    """Calls of different tools have arguments of different shapes: none is filled up with the others' keys."""
    short = a_trace(a_step(finish()), episode="short")
    write_rows(
        as_clean_traces(a_search(), make_marked_trace(), short, contract=CONTRACT), tmp_path / "out", FORMATS[form]
    )
    rows = [orjson.loads(line) for line in (tmp_path / "out" / "sft.jsonl").read_bytes().splitlines()]
    assert load_rows(tmp_path / "out" / "sft.jsonl", tmp_path / "cache") == rows
    assert len(rows) == 3


# Templates


def read_template(name: str) -> str:
    spec = find_spec("trl")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("trl's files are not installed: pip install --no-deps trl")
    return (Path(spec.submodule_search_locations[0]) / "chat_templates" / f"{name}.jinja").read_text("utf-8")


def render(name: str, row: Row, turns: int | None = None) -> str:
    """The row, or the prompt that its first `turns` messages make for the model's next turn."""
    texts, _ = templating.render_jinja_template(
        [row["messages"][:turns]],
        tools=row["tools"],
        chat_template=read_template(name),
        add_generation_prompt=turns is not None,
        bos_token="<s>",  # noqa: S106  a token of the tokenizer
        eos_token="</s>",  # noqa: S106  the same
    )
    return texts[0]


def make_marked_trace(*, has_text: bool = True, has_reasoning: bool = False, is_parallel: bool = True) -> Trace:
    """A found trace in which every text, argument, result and reasoning holds a mark that stands nowhere else."""
    steps: list[Step] = []
    for number in range(4):
        names = [f"c{number}a", f"c{number}b"] if number == 1 and is_parallel else [f"c{number}"]
        calls = [make_marked_call(name, is_last=number == 3) for name in names]
        steps.append(
            a_step(
                *calls,
                text=f"Text «t{number}»." if has_text else "",
                reasoning=f"Thought «r{number}»." if has_reasoning else None,
                results=[a_result(call, f'1: {{"result": "«s{call.id}»"}}') for call in calls],
            )
        )
    return a_trace(*steps, episode="marked")


def make_marked_call(name: str, *, is_last: bool) -> ToolCall:
    if is_last:
        return a_call("finish", id=name, files=[{"path": "x.py", "reason": f"«{name}»"}])
    return a_call("grep", id=name, pattern=f'a "quoted" \\«{name}»')


def marks_of(row: Row) -> list[str]:
    """Every mark in the order in which it has to be rendered: reasoning, text, calls; then results."""
    found: list[str] = []
    for message in row["messages"][2:]:
        calls = [call["function"]["arguments"] for call in message.get("tool_calls", [])]
        for part in (message.get("reasoning_content", ""), message["content"], calls):
            found += MARK.findall(str(part))
    return found


def grep_patterns(row: Row) -> list[str]:
    calls = [call for message in row["messages"] for call in message.get("tool_calls", [])]
    return [call["function"]["arguments"]["pattern"] for call in calls if call["function"]["name"] == "grep"]


@pytest.mark.parametrize("has_text", [True, False])
@pytest.mark.parametrize("has_reasoning", [True, False])
@pytest.mark.parametrize("name", ["qwen3", "qwen3_training", "qwen3_8", "glm4moe", "lfm2_2_5"])
def test_a_template_renders_every_call_result_text_and_thought_once_in_order(
    name: str,
    has_text: bool,  # noqa: FBT001  a parameter of the test
    has_reasoning: bool,  # noqa: FBT001  a parameter of the test
) -> None:
    row = trl_row(strip_supervision(make_marked_trace(has_text=has_text, has_reasoning=has_reasoning), CONTRACT))
    assert MARK.findall(render(name, row)) == marks_of(row)


@pytest.mark.parametrize("name", ["qwen2_5", "qwen3", "qwen3_instruct_2507"])
def test_arguments_are_encoded_once(name: str) -> None:
    row = trl_row(strip_supervision(make_marked_trace(), CONTRACT))
    text = render(name, row)
    found = [orjson.loads(call) for call in re.findall(r"<tool_call>\n(.*)\n</tool_call>", text)[1:]]
    assert [call["arguments"]["pattern"] for call in found if call["name"] == "grep"] == grep_patterns(row)


@pytest.mark.parametrize("name", ["qwen2_5", "qwen3", "qwen3_8", "glm4moe"])
def test_what_a_turn_is_trained_on_is_what_it_would_be_asked(name: str) -> None:
    """The rendered row begins with the prompt that the conversation before any of its turns makes."""
    row = trl_row(strip_supervision(make_marked_trace(has_reasoning=name != "qwen2_5"), CONTRACT))
    whole = render(name, row)
    turns = [i for i, message in enumerate(row["messages"]) if message["role"] == "assistant"]
    assert all(whole.startswith(render(name, row, i)) for i in turns)


# The page's table of templates


def describe_kept(name: str, trace: Trace, *kinds: str) -> str:
    """`yes` if all marks of these kinds are rendered once and in order, `refused` if the template raises."""
    row = trl_row(strip_supervision(trace, CONTRACT))
    try:
        text = render(name, row)
    except Exception as error:  # noqa: BLE001  templates raise TemplateError, TypeError, UndefinedError, ...
        return "refused" if not isinstance(error, OSError) else "no such template"
    wanted = [mark for mark in marks_of(row) if mark[1] in kinds]
    return "yes" if [mark for mark in MARK.findall(text) if mark[1] in kinds] == wanted else "no"


def read_table() -> list[tuple[str, ...]]:
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (\w+) \| (\w+) \| (\w+) \|$", PAGE, re.MULTILINE)
    assert len(rows) >= 10
    return rows


@pytest.mark.parametrize("row", read_table(), ids=lambda row: row[0])
def test_the_page_says_what_a_template_keeps(row: tuple[str, ...]) -> None:
    name, single, parallel, text, reasoning = row
    alone = make_marked_trace(has_text=False, is_parallel=False)
    assert describe_kept(name, alone, "c", "s") == single
    assert describe_kept(name, make_marked_trace(has_text=False), "c", "s") == parallel
    assert describe_kept(name, make_marked_trace(is_parallel=False), "c", "s", "t") == text
    assert (
        describe_kept(name, make_marked_trace(has_text=False, is_parallel=False, has_reasoning=True), "c", "s", "r")
        == reasoning
    )


# The page's program for weights


def test_the_pages_program_learns_the_turns_with_weight_1_and_no_other(tmp_path: Path) -> None:
    tokenizer = byte_tokenizer()
    steps = list(make_marked_trace(has_reasoning=True).steps)
    judged = a_step(a_call("grep", id="bad", pattern="«bad»"), text="Text «worse».", quality=Quality.WASTEFUL)
    trace = a_trace(*steps[:2], judged, *steps[2:])
    write_rows(as_clean_traces(trace, contract=CONTRACT), tmp_path / "out", TRL)
    (program,) = re.findall(r"```python\n(def weighted.*?)```", PAGE, re.DOTALL)
    space: dict[str, Any] = {}
    exec(program, space)  # noqa: S102  the page's own words
    (row,) = (orjson.loads(line) for line in (tmp_path / "out" / "sft.jsonl").read_bytes().splitlines())
    (note,) = (orjson.loads(line) for line in (tmp_path / "out" / "rows.jsonl").read_bytes().splitlines())
    example = space["weighted"](row, note, tokenizer, read_template("qwen3_training"))

    learned = learned_parts(example, tokenizer)
    assert [MARK.findall(part) for part in learned] == [
        *(["«r0»", "«t0»", "«c0»"], ["«r1»", "«t1»", "«c1a»", "«c1b»"]),
        *(["«r2»", "«t2»", "«c2»"], ["«r3»", "«t3»", "«c3»"]),
    ]
    whole = tokenizer.decode(example["input_ids"])
    assert whole.count("«bad»") == whole.count("«worse»") == whole.count(TASK_TEXT) == 1


def byte_tokenizer() -> Any:  # noqa: ANN401  transformers has no types for what it builds at run time
    """A tokenizer with a token for each byte: nothing to download."""
    tokenizers = pytest.importorskip("tokenizers")
    byte_level = tokenizers.pre_tokenizers.ByteLevel
    vocabulary = {character: number for number, character in enumerate(sorted(byte_level.alphabet()))}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = byte_level(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    return pytest.importorskip("transformers").PreTrainedTokenizerFast(tokenizer_object=tokenizer)


def learned_parts(example: dict[str, list[int]], tokenizer: Any) -> list[str]:  # noqa: ANN401  see byte_tokenizer
    """The text of each run of tokens that has labels."""
    runs = groupby(example["labels"], key=lambda label: label != -100)
    return [tokenizer.decode(list(run)) for is_learned, run in runs if is_learned]


def test_the_pages_examples_are_what_the_exporters_write(tmp_path: Path) -> None:
    blocks = [orjson.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]
    look = a_call("grep", id="call_0", pattern="fingerprint")
    result = a_result(look, "lantern/respond.py\n  41: headers.append(fingerprint())")
    trace = a_trace(
        a_step(
            look,
            text="The task names a fingerprint; I search for it.",
            reasoning="Start with the word.",
            results=[result],
        ),
        a_step(finish("call_1")),
        episode="e1",
    )
    write_rows(as_clean_traces(trace, contract=CONTRACT), tmp_path / "o", OPENAI)
    write_rows(as_clean_traces(trace, contract=CONTRACT), tmp_path / "t", TRL)
    files = [tmp_path / "o" / "sft.jsonl", tmp_path / "t" / "sft.jsonl", tmp_path / "t" / "rows.jsonl"]
    written = [orjson.loads(file.read_bytes()) for file in files]
    for value in written[:2]:
        value["tools"] = [tool["function"]["name"] for tool in value["tools"]]
    assert blocks == written
