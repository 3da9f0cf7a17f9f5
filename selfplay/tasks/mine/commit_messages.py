"""A commit's message as a task's prompt: what is meant for machines and the tracker is left out, and listed."""

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
_SENTENCE = re.compile(
    rf"(?im)(?:^|(?<=[.!?;,:]))[ \t]{{0,8}}(?:and[ \t]{{1,4}})?(?:this|it|that|which)(?:[ \t]{{1,4}}(?:commit|patch|change|pr|pull request))?"
    r"(?:[ \t]{1,4}(?:should|will|would|may|might|can|also|now|hopefully|possibly|probably|presumably|partially|partly|finally|"
    rf"actually|effectively|therefore|thus|then)){{0,4}}[ \t]{{1,4}}{_VERB}[ \t]{{0,8}}:?[ \t]{{1,8}}(?:issue |bug |pr |ticket )?{_ITEMS}[)\]]?\.?(?=[ \t]*$)"
)
"""`This should fix #12`: without its number it would say nothing."""
_POINTER = re.compile(
    r"(?i),?\s{1,4}(?:as )?(?:requested|discussed|described|suggested|mentioned|reported|noted|seen|raised|proposed|explained)\s{1,4}"
    rf"(?:in|at|by|on|here|under)?:?\s{{0,4}}(?:issue |bug |pr |ticket )?{_ITEMS}[)\]]?\.?(?=\s*(?:\n|\Z))"
)
_THANKS = re.compile(
    r"(?i)(?:^[ \t*-]*|(?<=[.!;)\]])[ \t]{1,4}|,[ \t]{1,4}|[ \t]{1,4}[-(][ \t]{0,4})(?:many |big )?(?:thanks|thank you|thx|kudos|props)(?: to)?:?[ \t]{1,4}@[\w-]{1,40}[)!.]{0,3}(?=[ \t]*$)",
    re.MULTILINE,
)
_URL = re.compile(r"<?\b(?:https?|ftp|git|ssh|file)://[^\s<>\"'`]*[^\s<>\"'`.,;:!?)\]}]>?")
_LINKS = re.compile(
    r"(?m)^[ \t]{0,8}(?:[-*][ \t]{1,4})?(?:\[\w{1,20}\]:?[ \t]{0,4}(?:-[ \t]{1,4})?)?(?:[A-Za-z]+(?:[ \t][A-Za-z]+){0,7}:[ \t]*(?:\n\s{0,8}[-*]?[ \t]{0,4})?)?"
    r"\(?\(link\)\)?[ \t]*\.?[ \t]*(?:\n|\Z)"
)
"""Lines that hold a link and at most its label."""
_LABELLED = re.compile(r"!?\[([^\]\[\n]{0,200})\]\(\(link\)\)")
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

_REMOVALS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("merge line", _MERGE),
    ("revision-control ids", _SVN),
    ("revision-control ids", _SVN_HEAD),
    ("revision-control ids", _CHERRY),
    ("conflicts", _COMMENT),
    ("references", _REFERENCE),
    ("trailers", _TRAILER),
    ("references", _NUMBER),
    ("thanks", _THANKS),
    ("references", _SENTENCE),
    ("references", _POINTER),
    ("references", _TAIL),
    ("marks for CI", _CI),
    ("URLs", _URL),
    ("lists of URLs", _LINKS),
    ("rules", _RULE),
)


@dataclass(frozen=True, slots=True)
class CommitPrompt:
    """What is left of a message."""

    text: str
    left_out: dict[str, int]
    """How much of what kind was left out; `repeats` are lines of the body that only say the first line again."""
    issues: tuple[int, ...]
    """Numbers of issues and pull requests that the whole message refers to, in order."""

    @property
    def words(self) -> int:
        """How many words of letters it has."""
        return len(_WORD.findall(self.text))

    @property
    def specific_words(self) -> int:
        """How many different words it has that could stand for what the change is about; a name counts as two."""
        words = {word.casefold() for word in _WORD.findall(self.text)}
        names = {name for name in _NAME.findall(self.text) if _SHAPED.search(name)}
        return len(words - _VAGUE_WORDS) + 2 * len(names)


def clean_message(message: str) -> CommitPrompt:
    """The message in plain words. Takes time in proportion to its length: bound that before."""
    text = _CONTROL.sub("", message.replace("\r\n", "\n").replace("\r", "\n"))
    left_out: Counter[str] = Counter()
    issues = tuple(dict.fromkeys(int(found["number"]) for found in _ISSUE.finditer(text)))
    for name, pattern in _REMOVALS:
        text, count = pattern.subn(_replacement_for(name), text)
        left_out[name] += count
    text = _LABELLED.sub(r"\1", text)
    lines = [line.rstrip() for line in text.strip().split("\n")]
    kept = [
        line for number, line in enumerate(lines) if not number or _strip_list_mark(line) != _strip_list_mark(lines[0])
    ]
    left_out["repeats"] += sum(bool(line) for line in lines) - sum(bool(line) for line in kept)
    text = "\n".join(kept)
    return CommitPrompt(_BLANK.sub("\n\n", text).strip(), {name: n for name, n in left_out.items() if n}, issues)


def _strip_list_mark(line: str) -> str:
    """A line without the sign that makes it part of a list."""
    return line.strip().removeprefix("* ").removeprefix("- ").strip(" .").casefold()


def _replacement_for(name: str) -> str | Callable[[re.Match[str]], str]:
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


_NAME = re.compile(r"[A-Za-z_][\w.]*\w")
_SHAPED = re.compile(r"[a-z0-9][A-Z]|\w[_.]\w")
_VAGUE_WORDS = frozenset(
    """a about actually add added adding adds after again all allow also always an and another any apply are as at avoid back be
    because became been before being best better bit both but by can change changed changes changing chore clean cleaned
    cleanup cleanups clearer code comment commented comments commit consistency consistent convert converted correct
    corrected correctly cosmetic could couple deal different do doc docs docstring docstrings documentation does done
    down drop dropped easier edit edited edits enhance enhanced enhancement enhancements ensure error errors etc
    every experiments extra feat feature few file files fix fixed fixes fixing fixup for format
    formatted formatting forgot forgotten found from function functions further get gets good got grammar had handle
    handled handles has have hopefully how if implement implementation implemented improve improved improvement
    improvements improves in indentation initial instead internal into introduce is issue issues it its just keep
    later leftover less lint linting little logic lot made main make makes making maybe merge merged method methods minor
    misc missed missing mistake mistakes more most move moved much naming name names need needed needs new nit nits no non not
    nothing now of off old on once one only or original other out over part parts patch pep polish polishing possible
    pr prepare previous problem problems proper properly pull readability readable really redundant refactor refactored
    refactoring refine refined remove removed removes removing rename renamed replace replaced request review reviews
    revised rework reworked rewrite rewritten same set should simple simpler simplified simplify slight slightly
    small so some something spacing spelling split still stuff style stylistic such support supported sync test tested
    testing tests than that the their them then there these they thing things this those to todo too trivial try tweak tweaked
    tweaks two typo typos unify unnecessary unneeded until unused up update updated updates updating usage use used
    useful useless uses using various version very was way well were what when where which while whitespace will wip with
    without word wording words work working works would wrong yet you""".split()
)
"""Words that a message about anything may have."""
_REVERT = re.compile(
    r"(?i)\A\s*(?:\[?[\w./-]+\]?:\s*)?(?:revert|back ?out|rollback|roll back|undo)\b|^This reverts commit\b",
    re.MULTILINE,
)
_REVERTED = re.compile(r"(?i)\breverts commit ([0-9a-f]{7,64})\b")
_RELEASE = re.compile(
    r"(?i)\s*(?:\[?[\w./-]{1,30}\]?(?:\([\w./, -]{1,30}\))?!?:\s*)?(?:"
    r"(?:release|version|tag|bump|prepare|prep|start|begin|open|set|update|upgrade|increment|new|post|back to|mark|finalize)\b"
    r"[^\n]{0,40}\b(?:v?\d+\.\d+|release|version|development|dev(?:el)?|changelog|alpha|beta|rc\d*)\b[^\n]{0,30}$"
    r"|(?:chore|build|ci)?\(?(?:deps|deps-dev|dependencies|release)\)?\s*[:!]"
    r"|(?:\[pre-commit\.ci\]\s*)?pre-commit autoupdate|bump\b|bumps?\s|v?\d+\.\d+(?:\.\d+)?\S*\s*(?:release)?\s*$|release\s+v?\d|redis\s+\d+\.\d+"
    r"|(?:update|upgrade|pin|lock|refresh)\s+(?:dependenc|dependabot|requirements|pre-commit|pinned|lock ?file|submodule))",
    re.MULTILINE,
)
_BOT = re.compile(
    r"(?i)\[bot\]|(?:^|[^a-z])bot(?:$|[^a-z])|\b(?:dependabot|renovate|greenkeeper|pyup|pre-commit-ci|snyk-\w+|github-actions?|"
    r"mergify|bors|homu|allcontributors|weblate|transifex|crowdin|imgbot|semantic-release|autoroll(?:er)?|copybara|travis ci)\b"
)
