"""A commit's message as a task's prompt: what speaks to machines and to the tracker is left out, and said."""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

_TRAILER = re.compile(
    r"(?im)^[ \t]*(?:signed-off-by|co-authored-by|co-developed-by|reviewed-by|acked-by|tested-by|reported-by|suggested-by|"
    r"helped-by|approved-by|requested-by|submitted-by|\w+(?:-\w+)*-by|cc|change-id|reviewed-on|commit-queue|auto-submit|"
    r"tryjob-\w+|run-tryjob|bug|bug-url|link|ticket|issue|pr|pull-request|differential[ -]revision|phabricator|"
    r"x-\w[\w-]*|gitorigin-revid|piperorigin-revid|cr-commit-position|backport-\w+|updated-dependencies)[ \t]*:.*\n?"
)
_SVN = re.compile(
    r"(?im)^[ \t]*(?:git-svn-id|svn path|cvs[- ]?(?:exportcommit|revision)|hg[- ]?(?:changeset|branch))\s*[:=].*\n?"
)
_CHERRY = re.compile(
    r"(?im)^[ \t]*\(?(?:cherry[- ]picked|backported|ported) (?:from|of) (?:commit )?[^\n]*\)?[ \t]*\n?"
)
_ITEM = r"(?:(?:\w[\w.-]{0,60}/[\w.-]{1,60})?(?:#|gh-?)\d+|https?://[^\s,;&]+)"
_VERB = r"(?:clos(?:e[sd]?|ing)|fix(?:e[sd]|ing)?|resolv(?:e[sd]?|ing)|refs?|see(?: also)?|re)"
_ITEMS = (
    rf"{_ITEM}(?:(?:[ \t]{{0,8}}[,;&][ \t]{{0,8}}|[ \t]{{1,8}}(?:and[ \t]{{1,8}})?)(?:{_VERB}[ \t]{{1,8}})?{_ITEM})*+"
)
"""References one after another. Nothing in it can be read in two ways, so it takes linear time."""
_REFERENCE = re.compile(
    rf"(?im)^[ \t*-]*+(?:(?:and|also)[ \t]+)?(?:{_VERB}|references|addresses|part of|related(?: to)?|relates to|issues?|bugs?|"
    r"tickets?|pull request|prs?|gh)[ \t]*+:?[ \t]*+(?:(?:issue|bug|ticket|pr|pull request)[ \t]+)?"
    rf"{_ITEMS}[ \t]*+[.;]?[ \t]*+(?:\n|$)"
)
_MERGE = re.compile(
    r"\A[ \t]*(?:merge (?:pull|merge) request\b|merged? in\b|merge (?:remote-tracking )?branch(?:es)?\b|merge tag\b|"
    r"merge (?:commit|from|of)\b|merge\s+\S+\s+(?:into|from)\b|automatic merge\b|auto merge\b)[^\n]*\n?",
    re.IGNORECASE,
)
_NUMBER = re.compile(
    r"(?im)[ \t]{0,8}[(\[](?:\w[\w.-]{0,60}/[\w.-]{1,60}|GH-?|PR[ -]?|closes |fixes )?#?\d+(?:[ \t]{0,8},[ \t]{0,8}#\d+)*[)\]](?=[ \t]*$)"
)
_TAIL = re.compile(
    rf"(?im)[ \t]{{0,8}}[-,;(\[]?[ \t]{{0,8}}\b{_VERB}[ \t]{{0,8}}:?[ \t]{{1,8}}(?:issue |bug |pr )?{_ITEMS}[)\]]?\.?(?=[ \t]*$)"
)
_URL = re.compile(r"<?\b(?:https?|ftp|git|ssh|file)://[^\s<>\"'`]*[^\s<>\"'`.,;:!?)\]}]>?")
_ISSUE = re.compile(
    r"(?:(?<![\w&/])#|\bgh-|/(?:issues|pull|pulls|merge_requests|bugs?|ticket|tickets)/|\bissue[ \t]+#?|\bbug[ \t]+#?)"
    r"(?P<number>\d{1,7})\b",
    re.IGNORECASE,
)
_CI = re.compile(
    r"[ \t]{0,8}\[(?:ci[ -]skip|skip[ -]ci|skip actions|no ci|nochangelog|skip changelog)\]", re.IGNORECASE
)
_RULE = re.compile(r"(?m)^[ \t]*[-=_*]{3,}[ \t]*\n?")
_COMMENT = re.compile(
    r"(?m)^#[ \t]+(?:Conflicts|Please enter|On branch|Changes to be).*(?:\n#.*)*\n?|^Conflicts:\n(?:[ \t#]+\S.*\n?)*"
)
_BLANK = re.compile(r"\n{3,}")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff]")
_WORD = re.compile(r"[^\W\d_]{2,}")
_SVN_HEAD = re.compile(r"\A[ \t]*(?:r\d+@\S+:.*\n|\*\*\* empty log message \*\*\*\s*)")

_CUTS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("merge line", _MERGE),
    ("revision-control ids", _SVN),
    ("revision-control ids", _SVN_HEAD),
    ("revision-control ids", _CHERRY),
    ("conflicts", _COMMENT),
    ("references", _REFERENCE),
    ("trailers", _TRAILER),
    ("references", _NUMBER),
    ("references", _TAIL),
    ("marks for CI", _CI),
    ("URLs", _URL),
    ("rules", _RULE),
)


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is left of a message."""

    text: str
    left_out: dict[str, int]
    """How much of what kind was left out."""
    issues: tuple[int, ...]
    """Numbers of issues and pull requests that the whole message refers to, in order."""

    @property
    def words(self) -> int:
        """How many words of letters it has."""
        return len(_WORD.findall(self.text))


def cleaned(message: str) -> Prompt:
    """The message in plain words. Takes time in proportion to its length: bound that before."""
    text = _CONTROL.sub("", message.replace("\r\n", "\n").replace("\r", "\n"))
    left_out: Counter[str] = Counter()
    issues = tuple(dict.fromkeys(int(found["number"]) for found in _ISSUE.finditer(text)))
    for name, pattern in _CUTS:
        text, count = pattern.subn(_replacement(name), text)
        left_out[name] += count
    text = "\n".join(line.rstrip() for line in text.split("\n"))
    return Prompt(_BLANK.sub("\n\n", text).strip(), {name: n for name, n in left_out.items() if n}, issues)


def _replacement(name: str) -> str | Callable[[re.Match[str]], str]:
    return "(link)" if name == "URLs" else ""


def is_release(subject: str) -> bool:
    """Whether the first line only says that a version was made, or that what the project stands on was renewed."""
    return _RELEASE.match(subject) is not None


def is_revert(message: str) -> bool:
    """Whether the commit takes an earlier one back."""
    return _REVERT.search(message) is not None


def reverted_ids(message: str) -> list[str]:
    """Ids of the commits that it says to take back."""
    return [found.lower() for found in _REVERTED.findall(message)]


def is_bot(author: str, email: str) -> bool:
    """Whether a program made the commit."""
    return _BOT.search(author) is not None or _BOT.search(email) is not None


_REVERT = re.compile(
    r"(?i)\A\s*(?:\[?[\w./-]+\]?:\s*)?(?:revert|back ?out|rollback|roll back|undo)\b|^This reverts commit\b",
    re.MULTILINE,
)
_REVERTED = re.compile(r"(?i)\breverts commit ([0-9a-f]{7,64})\b")
_RELEASE = re.compile(
    r"(?i)\s*(?:\[?[\w./-]{1,30}\]?:\s*)?(?:"
    r"(?:release|version|tag|bump|prepare|prep|start|begin|open|set|update|upgrade|increment|new|post|back to|mark|finalize)\b"
    r"[^\n]{0,40}\b(?:v?\d+\.\d+|release|version|development|dev(?:el)?|changelog|alpha|beta|rc\d*)\b[^\n]{0,30}$"
    r"|(?:chore|build|ci)?\(?(?:deps|deps-dev|dependencies|release)\)?\s*[:!]"
    r"|bump\b|bumps?\s|v?\d+\.\d+(?:\.\d+)?\S*\s*(?:release)?\s*$|release\s+v?\d|redis\s+\d+\.\d+"
    r"|(?:update|upgrade|pin|lock|refresh)\s+(?:dependenc|dependabot|requirements|pre-commit|pinned|lock ?file|submodule))",
    re.MULTILINE,
)
_BOT = re.compile(
    r"(?i)\[bot\]|(?:^|[^a-z])bot(?:$|[^a-z])|\b(?:dependabot|renovate|greenkeeper|pyup|pre-commit-ci|snyk-\w+|github-actions?|"
    r"mergify|bors|homu|allcontributors|weblate|transifex|crowdin|imgbot|semantic-release|autoroll(?:er)?|copybara|travis ci)\b"
)
