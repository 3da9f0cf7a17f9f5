"""How much a prompt gives away of where its answer lies.

Names of files and modules are found as the gate finds them in hints (`selfplay.gate`), without the repository: an
ordinary word is no name. A definition counts where the prompt writes it as code is written, or in no ordinary word.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from pydantic import JsonValue

from selfplay.core.task import Answer, Brief, Target, Task
from selfplay.core.trace import FindingKind
from selfplay.gate import ShownText, prepare_guard
from selfplay.gate.checks.names import find_imports, find_names
from selfplay.gate.text.view import normalise
from selfplay.gate.text.words import may_be_english
from selfplay_tools.code.code_file import parse_code
from selfplay_tools.code.languages import likely_languages
from selfplay_tools.code.likely_definitions import may_define
from selfplay_tools.errors import ToolsError
from selfplay_tools.protocols import Snapshot
from selfplay_tools.text.lines import TextSpan


def make_content_reader(snapshot: Snapshot) -> Callable[[str], bytes]:
    """Gives the text of a file by its path; nothing where there is no text to read."""

    def read(path: str) -> bytes:
        try:
            return "\n".join(snapshot.text(path).lines).encode()
        except ToolsError:
            return b""

    return read


class LeakGrade(StrEnum):
    """The most revealing thing that a prompt names of its targets, from nothing to everything."""

    NOTHING = "nothing"
    SYMBOL = "symbol"
    """A definition in a target."""
    MODULE = "module"
    """A target's module, its file's stem, or a folder that holds only targets."""
    FILE_NAME = "file_name"
    PATH = "path"

    @property
    def rank(self) -> int:
        """0 for nothing; higher for more."""
        return tuple(LeakGrade).index(self)

    def __lt__(self, other: str) -> bool:
        return self.rank < LeakGrade(other).rank

    def __le__(self, other: str) -> bool:
        return self.rank <= LeakGrade(other).rank

    def __gt__(self, other: str) -> bool:
        return self.rank > LeakGrade(other).rank

    def __ge__(self, other: str) -> bool:
        return self.rank >= LeakGrade(other).rank


@dataclass(frozen=True, slots=True)
class PromptLeak:
    """What a prompt gives away."""

    grade: LeakGrade
    names: tuple[str, ...] = ()
    """The names of that grade as the prompt writes them, each once, at most `MAX_NAMES`."""


MAX_NAMES = 5
_GRADES: dict[FindingKind, LeakGrade] = {
    "path": LeakGrade.PATH, "file_name": LeakGrade.FILE_NAME, "module": LeakGrade.MODULE, "stem": LeakGrade.MODULE,
    "directory": LeakGrade.MODULE, "disguised": LeakGrade.MODULE,
}  # fmt: skip
_TOPIC = re.compile(r"\A\s*\[?(?P<topic>[\w./+-]{2,60})\]?(?:\((?P<scopes>[^)\n]*)\))?!?:\s")
"""`termui: keep the cursor`, `fix(termui): keep it`: what a first line is about."""
_NAME = re.compile(r"(?<![\w$@])[A-Za-z_$][\w$]{2,99}")
_CAMEL = re.compile(r"[a-z0-9][A-Z]|[A-Z]{2,}[a-z]")
_ENDS_SENTENCE = frozenset(".!?:\n")

ContentReader = Callable[[str], bytes]
"""The content of a target by its path; empty where there is none to read."""


def find_leak(prompt: str, targets: Iterable[Target], read: ContentReader) -> PromptLeak:
    """What the prompt names of the targets. `read` is asked only where a definition may be named."""
    targets = tuple(targets)
    found = dict[LeakGrade, dict[str, None]]()
    for grade, name in _find_file_names(prompt, targets):
        found.setdefault(grade, {})[name] = None
    if not found:
        symbols = tuple(dict.fromkeys(_find_symbols(prompt, targets, read)))
        return PromptLeak(LeakGrade.SYMBOL, symbols[:MAX_NAMES]) if symbols else PromptLeak(LeakGrade.NOTHING)
    worst = max(found, key=lambda grade: grade.rank)
    names = [name for name in found[worst] if not any(name in other and name != other for other in found[worst])]
    return PromptLeak(worst, tuple(names)[:MAX_NAMES])


def _find_file_names(prompt: str, targets: tuple[Target, ...]) -> Iterator[tuple[LeakGrade, str]]:
    # The prompt is what is judged here, so the task that the gate gets has another.
    task = Task(brief=Brief(id="-", repo="-", commit="-", prompt="-"), answer=Answer(targets=targets))
    secret, view = prepare_guard(task, None), normalise(prompt)
    for found in (*find_names(view, secret, ShownText()), *find_imports(view, secret, ShownText())):
        yield _GRADES.get(found.kind, LeakGrade.MODULE), found.text
    topic = _TOPIC.match(prompt)
    if topic is not None:
        for name in (topic["topic"], *re.findall(r"[\w./+-]{2,60}", topic["scopes"] or "")):
            yield from _match_topic(name, targets)


def _match_topic(topic: str, targets: tuple[Target, ...]) -> Iterator[tuple[LeakGrade, str]]:
    last = re.split(r"[./]", topic)[-1].lower()
    for target in targets:
        name = target.path.rpartition("/")[2].lower()
        if topic.lower() == name:
            yield LeakGrade.FILE_NAME, topic
        elif last == name.partition(".")[0].strip("_") or last == name.partition(".")[0]:
            yield LeakGrade.MODULE, topic


def _find_symbols(prompt: str, targets: tuple[Target, ...], read: ContentReader) -> Iterator[str]:
    written = tuple(dict.fromkeys(_find_code_names(prompt)))
    for target in targets:
        parts = set(re.split(r"[.:#]+", target.symbol or ""))
        yield from (name for name in written if name in parts)
    if written:
        for path in dict.fromkeys(target.path for target in targets):
            defined = _find_definitions(path, written, read)
            yield from (name for name in written if name in defined)


def _find_definitions(path: str, names: tuple[str, ...], read: ContentReader) -> frozenset[str]:
    languages = likely_languages(path)
    if not languages:
        return frozenset()
    text = read(path)
    span = TextSpan(text, (path,), (0,), (len(text),))
    if not any(name.encode() in text and may_define(one, name, span) for name in names for one in languages):
        return frozenset()
    return parse_code(path, text).names


def _find_code_names(prompt: str) -> Iterator[str]:
    """Words of the prompt that can only be names, in order."""
    for match in _NAME.finditer(prompt):
        name = match.group()
        is_dunder = name.startswith("__") and name.endswith("__")
        if not is_dunder and (
            _has_code_shape(name) or _is_marked_as_code(prompt, match) or _is_no_plain_word(name, prompt, match)
        ):
            yield name


def _has_code_shape(name: str) -> bool:
    return "_" in name or "$" in name or _CAMEL.search(name) is not None


def _is_marked_as_code(prompt: str, match: re.Match[str]) -> bool:
    before, after = prompt[match.start() - 1 : match.start()], prompt[match.end() : match.end() + 2]
    is_called = after[:1] == "("
    is_member = (before == "." and prompt[match.start() - 2 : match.start() - 1].isalnum()) or before == "`"
    is_owner = after[:1] in {"`", "#"} or after == "::" or (after[:1] == "." and after[1:2].isalpha())
    return is_called or is_member or is_owner


def _is_no_plain_word(name: str, prompt: str, match: re.Match[str]) -> bool:
    """No English word, or one with a capital inside a sentence."""
    if not may_be_english(name.lower()):
        return True
    before = prompt[: match.start()].rstrip(" \t")
    return name[0].isupper() and not name.isupper() and bool(before) and before[-1] not in _ENDS_SENTENCE


def leak_meta(leaked: PromptLeak) -> dict[str, JsonValue]:
    """As in a task's `meta`."""
    return {"leak": leaked.grade.value, **({"leaked": list(leaked.names)} if leaked.names else {})}
