"""Words outside ASCII are explained by what the player read, and by nothing else."""

import unicodedata

import orjson
import pytest

from selfplay.clean.evidence import EvidenceSource, evidence_of
from selfplay.clean.evidence.word_knowledge import is_form_of
from selfplay.core.message import Message, Origin
from tests.selfplay.traces import a_call


def sources_of(
    task: str, query: str, hint: str = "", tool: str = "search", argument: str = "query"
) -> list[EvidenceSource]:
    """Where the parts of a query come from; each link quotes its argument."""
    asked = a_call(tool, id="c", raw=orjson.dumps({argument: query}).decode())
    messages = [Message(role="user", content=task, origin=Origin.TASK)]
    if hint:
        messages.append(Message(role="user", content=hint, origin=Origin.HINT))
    messages.append(Message(role="assistant", content="", origin=Origin.PLAYER, tool_calls=(asked,)))
    links = evidence_of(messages).links
    assert all(query[slice(*link.span)] == link.text for link in links)
    for link in links:
        if link.place:
            content = messages[link.place.message].content
            assert content[slice(*link.place.span)].strip()
    return [link.source for link in links]


CHINESE = "返回服务器指纹作为每个HTTP响应的标头"
ACCENT = "Renvoie le café"


@pytest.mark.parametrize(
    ("task", "query"),
    [
        (CHINESE, "服务器 指纹"),
        (CHINESE, "返回服务器指纹"),
        (CHINESE, "http响应"),
        (CHINESE, "服务器的标头"),
        ("サーバーの指紋をヘッダーとして返す", "サーバー ヘッダー"),
        ("Верни отпечаток сервера в заголовке каждого ответа", "отпечаток сервер заголовок ответ"),
        ("Исправь ошибку кода", "код Ошибка"),
        ("서버의 지문을 헤더로 반환", "서버 지문이 헤더"),
        ("Die Größe der Zähler", "größen zählers"),
        (unicodedata.normalize("NFD", ACCENT), "café"),
        (ACCENT, unicodedata.normalize("NFD", "café")),
        (unicodedata.normalize("NFD", ACCENT), unicodedata.normalize("NFD", "café")),
        (unicodedata.normalize("NFD", "서버의 지문"), "서버"),
    ],
)
@pytest.mark.parametrize(("tool", "argument"), [("search", "query"), ("grep", "pattern")])
def test_a_word_of_the_task_is_explained_in_any_language(task: str, query: str, tool: str, argument: str) -> None:
    found = sources_of(task, query, tool=tool, argument=argument)
    assert found
    assert set(found) <= {EvidenceSource.TASK, EvidenceSource.DERIVED}


@pytest.mark.parametrize(
    ("task", "query"),
    [
        (CHINESE, "压缩"),
        (CHINESE, "服务器压缩"),
        ("数据库很慢", "数据流"),
        ("Верни отпечаток сервера", "сжатие"),
        ("Верни отпечаток сервера", "сервис"),
        ("서버의 지문", "압축"),
        ("Die Größe der Zähler", "Gründe"),
    ],
)
def test_another_word_is_still_a_leap(task: str, query: str) -> None:
    assert sources_of(task, query) == [EvidenceSource.NOWHERE]
    assert sources_of(task, query, hint=f"{query}?") == [EvidenceSource.HINT]


def test_a_hints_word_in_another_form_is_the_hints() -> None:
    assert sources_of("Верни отпечаток", "сжатие", hint="Думай: где конец сжатия.") == [EvidenceSource.HINT]
    assert sources_of(CHINESE, "压缩", hint="想一想数据在哪里压缩。") == [EvidenceSource.HINT]


def test_words_that_begin_alike_are_no_forms_of_each_other() -> None:
    assert not is_form_of("сервер", "сервис")
    assert not is_form_of("数据库", "数据流")
    assert not is_form_of("사용자", "사용법")
    assert is_form_of("사용자의", "사용자")
