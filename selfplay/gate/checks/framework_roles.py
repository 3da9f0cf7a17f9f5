"""Does a text name a target by its part in a framework: `the user model`, `orders#show`, `the error module`?"""

import re
from collections.abc import Iterator

from selfplay.core.trace import HintFinding
from selfplay.gate.forbidden_names import ForbiddenName
from selfplay.gate.guard import Guard
from selfplay.gate.shown_text import ShownText
from selfplay.gate.text.view import TextView
from selfplay.gate.text.words import FILE_NOUNS, ROLE_FOLDERS, TYPE_NOUNS, number_forms_of, singular_of

_MIN_LETTERS = 4
_WHY = "names the target {paths} by its part in the framework; say what the code there does instead"


def find_framework_roles(view: TextView, guard: Guard, shown: ShownText) -> Iterator[HintFinding]:
    """`the user model` for `models/user.rb`; `orders#show` for `orders_controller.rb`."""
    for one in guard.names:
        if one.kind != "stem" or one.is_generic:
            continue
        for pattern in _build_role_patterns(one):
            for match in re.finditer(pattern, view.text, re.IGNORECASE):
                start, end = view.original_span(match.start("name"), match.end("name"))
                words = tuple(re.findall(r"[^\W_]+", match.group("name").lower()))
                if guard.is_permitted(one, shown) or shown.has_phrase(words) or guard.task_text.has_phrase(words):
                    continue
                why = _WHY.format(paths=", ".join(sorted(one.targets)))
                yield HintFinding(kind="stem", text=view.original[start:end], span=(start, end), why=why)


def _build_role_patterns(one: ForbiddenName) -> Iterator[str]:
    name = r"[\s_-]?".join(map(re.escape, one.words))
    for path in sorted(one.targets):
        role = path.rpartition("/")[0].rpartition("/")[2].lower()
        if role in ROLE_FOLDERS and singular_of(role) not in one.words:
            yield rf"\b(?:the|that|this|its|your)\s+[`'\"*]?(?P<name>{name}[`'\"*]?\s+{re.escape(singular_of(role))})\b"
    if one.words[-1] == "controller" and len(one.words) > 1:
        yield rf"(?<!\w)(?P<name>{'_'.join(map(re.escape, one.words[:-1]))}#\w+)"
    if len(one.words) == 1 and len(one.compact) >= _MIN_LETTERS:
        nouns = "|".join(sorted((FILE_NOUNS | TYPE_NOUNS) - {"one", "source", "init", "type", "unit"}))
        for form in sorted(number_forms_of(one.words[0]) - {one.words[0]}):
            yield rf"\bthe\s+[`'\"*]?(?P<name>{re.escape(form)}[`'\"*]?\s+(?:{nouns}|file))\b"
