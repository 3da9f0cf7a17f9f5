"""What a shell command looks at: its paths, patterns and globs, each with its place in the command.

Read for evidence only, never run: what is not understood (substitutions, loops, scripts given to an interpreter) is
passed over, except for words that are plainly paths. The text of a here-document is free text.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

OperandRole = Literal["path", "regex", "glob"]

_TOKEN = re.compile(
    r"(?P<end>\|\|?|&&|;|\n|&)|(?P<to>\d?>>?(?:&\d)?|<)|(?P<word>(?:'[^']*'|\"(?:\\.|[^\"\\])*\"|\\.|[^\s'\"\\|;&<>()])+)|\s|.",
    re.DOTALL,
)
_SETTING = re.compile(r"\w+=")
_HEREDOC = re.compile(r"<<-?\s*(['\"]?)(\w+)\1")
_SCRIPT = re.compile(r"[$`{}=*^\\]|^\d")
_PLAIN_PATH = re.compile(r"[\w.@+~-]*(?:/[\w.@+~-]+)+/?|[\w@+-]+(?:\.[\w@+-]+)*\.[A-Za-z]\w{0,9}")

READERS = frozenset(
    "cat head tail less more nl wc ls tree cd stat file open view bat du sed awk view_file edit create rm touch".split()
)
"""Commands whose operands are paths (of sed and awk, those after the script)."""
GREPS = frozenset("grep egrep fgrep rg ag ack zgrep search_dir search_file".split())
"""Commands whose first operand is a pattern."""
SCRIPTED = frozenset("sed awk".split())
WITH_VALUE = frozenset(
    "-A -B -C -m -n -c --max-count -maxdepth -mindepth -type -t -d --color -s -L -size -mtime".split()
)
GREP_WITH_VALUE = WITH_VALUE - {"-n", "-c", "-s", "-L"}
GLOB_OPTIONS = frozenset("--include --exclude --exclude-dir --glob -g -name -iname --iglob".split())
PATH_GLOBS = frozenset("-path -ipath -wholename".split())
PREFIXES = frozenset("sudo time env xargs command exec nohup".split())


@dataclass(frozen=True, slots=True)
class ShellOperand:
    """One operand."""

    role: OperandRole
    text: str
    start: int
    """Character of the command where it begins."""
    ignores_case: bool = False


@dataclass(frozen=True, slots=True)
class _ShellWord:
    text: str
    start: int
    is_quoted: bool = False


def operands_of(command: str) -> Iterator[ShellOperand]:
    """The operands of all commands of a line or script, in order."""
    for words in _split_commands(_without_heredocs(command)):
        own = next((i for i, w in enumerate(words) if w.text not in PREFIXES and not _SETTING.match(w.text)), None)
        if own is None:
            continue
        name, operands = words[own].text.rpartition("/")[2], words[own + 1 :]
        if name == "git" and operands:
            name, operands = operands[0].text, operands[1:]
        if name in GREPS:
            yield from _operands_of_grep(operands)
        elif name in {"find", "fd", "find_file"}:
            yield from _operands_of_find(name, operands)
        else:
            yield from _operands_of_other(name, operands)


def _without_heredocs(command: str) -> str:
    """The command with the text of here-documents blanked, places kept."""
    at = 0
    while head := _HEREDOC.search(command, at):
        begin = command.find("\n", head.end())
        if begin < 0:
            break
        close = re.compile(rf"^\s*{re.escape(head[2])}\s*$", re.MULTILINE).search(command, begin + 1)
        end = close.end() if close else len(command)
        command = (
            command[: head.start()]
            + " " * (head.end() - head.start())
            + command[head.end() : begin]
            + ("\n" + " " * (end - begin - 1) + command[end:])
        )
        at = end
    return command


def _split_commands(command: str) -> Iterator[list[_ShellWord]]:
    words: list[_ShellWord] = []
    is_target = False
    for match in _TOKEN.finditer(command):
        if match["end"]:
            yield words
            words = []
        elif match["to"]:
            is_target = not match["to"].endswith(("&1", "&2"))
        elif match["word"] and is_target:
            is_target = False
        elif match["word"]:
            words.append(_unquote_word(match["word"], match.start()))
    yield words


def _unquote_word(text: str, start: int) -> _ShellWord:
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" and text[0] not in text[1:-1]:
        return _ShellWord(text[1:-1], start + 1, is_quoted=True)
    return _ShellWord(text, start)


def _operands_of_grep(operands: Sequence[_ShellWord]) -> Iterator[ShellOperand]:
    ignores_case = any(re.fullmatch(r"-[a-zA-Z]*i[a-zA-Z]*|--ignore-case", w.text) for w in operands if not w.is_quoted)
    has_pattern = False
    rest = iter(operands)
    for word in rest:
        if word.text in {"-e", "--regexp"}:
            pattern = next(rest, None)
            if pattern:
                has_pattern = True
                yield ShellOperand("regex", pattern.text, pattern.start, ignores_case)
        elif (from_option := _operands_of_option(word, rest, GREP_WITH_VALUE)) is not None:
            yield from from_option
        elif not has_pattern:
            has_pattern = True
            yield ShellOperand("regex", word.text, word.start, ignores_case)
        elif not _SCRIPT.search(word.text):
            yield ShellOperand("path", word.text, word.start)


def _operands_of_option(
    word: _ShellWord, rest: Iterator[_ShellWord], with_value: frozenset[str]
) -> tuple[ShellOperand, ...] | None:
    """What an option brings; None if the word is no option."""
    if word.is_quoted or not word.text.startswith("-") or len(word.text) == 1:
        return None
    name, mark, value = word.text.partition("=")
    if name in GLOB_OPTIONS | PATH_GLOBS:
        glob = _unquote_word(value, word.start + len(name) + 1) if mark else next(rest, None)
        return (ShellOperand("glob", glob.text, glob.start),) if glob else ()
    if name in with_value and not mark:
        next(rest, None)
    return ()


def _operands_of_find(name: str, operands: Sequence[_ShellWord]) -> Iterator[ShellOperand]:
    rest = iter(operands)
    is_glob = name != "find"
    for word in rest:
        if (from_option := _operands_of_option(word, rest, WITH_VALUE)) is not None:
            yield from from_option
        elif is_glob:
            is_glob = False
            yield ShellOperand("glob", word.text, word.start)
        elif word.text not in {"(", ")", "!"} and not _SCRIPT.search(word.text):
            yield ShellOperand("path", word.text, word.start)


def _operands_of_other(name: str, operands: Sequence[_ShellWord]) -> Iterator[ShellOperand]:
    rest = iter(operands)
    is_script = name in SCRIPTED
    for word in rest:
        if not word.is_quoted and word.text.startswith("-"):
            if name in {"head", "tail"} and word.text in {"-n", "-c"}:
                next(rest, None)
            continue
        if is_script:
            is_script = False
        elif (name in READERS and not _SCRIPT.search(word.text)) or _PLAIN_PATH.fullmatch(word.text):
            yield ShellOperand("path", word.text, word.start)
