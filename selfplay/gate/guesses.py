"""The gate's judge: whether a hint reveals a target, by a model's guesses with the hint and without it.

A model that does not know the answer is shown what the player has seen, and names the files that it would open. A
hint that lets it name a target which it could not name without lets the player skip the search, in whatever words.
"""

from collections.abc import Sequence
from itertools import chain

from selfplay.core.message import Message
from selfplay.core.trace import HintFinding, JudgeGuess, JudgeOpinion
from selfplay.core.wire import WireMessage, encode_messages
from selfplay.gate.text.words import GENERIC_NAMES


def is_target_named(target: str, names: Sequence[str]) -> bool:
    """True where one of the names means the target's path.

    That is the path or an end of it, in any case, also with other folders before its file name: the name
    of a file reveals where it is. A generic name (`__init__.py`, `index.js`) needs its folder.
    """
    folders, _, file = target.casefold().rpartition("/")
    return any(_is_name_of(name, folders, file) for name in names)


def _is_name_of(name: str, folders: str, file: str) -> bool:
    named_folders, _, named_file = name.casefold().replace("\\", "/").strip("/ ").removeprefix("./").rpartition("/")
    if named_file != file:
        return False
    if f"/{folders}".endswith(f"/{named_folders}") and named_folders:
        return True
    is_distinctive = file.split(".", 1)[0] not in GENERIC_NAMES
    return is_distinctive or not folders


def compare_guesses(without: Sequence[JudgeGuess], given: Sequence[JudgeGuess], targets: Sequence[str]) -> JudgeOpinion:
    """The opinion: as revealed counts each target that one of `given` names and none of `without`."""
    names_without, names_given = (list(chain.from_iterable(g.files for g in guesses)) for guesses in (without, given))
    revealed = tuple(t for t in targets if is_target_named(t, names_given) and not is_target_named(t, names_without))
    return JudgeOpinion(without=tuple(without), given=tuple(given), revealed=revealed)


def findings_from_opinion(hint: str, opinion: JudgeOpinion) -> tuple[HintFinding, ...]:
    """The finding that goes back to the supervisor; none for a hint that revealed nothing."""
    if not opinion.revealed:
        return ()
    often = sum(any(is_target_named(t, guess.files) for t in opinion.revealed) for guess in opinion.given)
    why = (
        f"somebody who knows only what the player has seen named {', '.join(opinion.revealed)} with this hint "
        f"({often} of {len(opinion.given)} times), and never without it; say less"
    )
    return (HintFinding(kind="judge", text=hint, span=(0, len(hint)), why=why),)


def encode_question(conversation: Sequence[Message], since: int, question: Message) -> tuple[WireMessage, ...]:
    """The messages of one question: prompt and task, the reports from the `since`-th on (from 0), the question.

    They are encoded together: neighbouring user messages become one.
    """
    return tuple(encode_messages([*conversation[:2], *conversation[2 + since :], question]))
