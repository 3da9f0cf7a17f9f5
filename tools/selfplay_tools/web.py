"""`ask_web`: a question to a search model on the web. Off unless a run or a server is configured with it.

Any model that searches by itself and speaks the chat completions protocol. What it says is nobody's promise: asked
again it may say something else, and it comes from pages that anybody may write.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pydantic import BaseModel, Field, ValidationError

from selfplay_tools.output import compose, shorten
from selfplay_tools.remote import NoAnswer, Remote, remote
from selfplay_tools.snapshot import Snapshot
from selfplay_tools.tool import AnyTool, Arguments, Result, Tool

HEAD = "From the web, not from this repository. Not reproducible: the same question may get another answer."
"""First line of every answer."""
SYSTEM = (
    "You answer a programmer's question from the web. Be brief and exact: a few sentences, and code only where it is "
    "the answer. Say so if you find nothing that can be relied on."
)
QUESTION_CHARS = 1_000
ANSWER_CHARS = 8_000
MAX_SOURCES = 10
SOURCE_CHARS = 300
MAX_RESPONSE_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class SearchModel:
    """Who is asked."""

    model: str
    base_url: str
    """The address to which `/chat/completions` is added; without credentials."""
    api_key_env: str = "ASK_WEB_API_KEY"
    """Name of the environment variable that holds the key."""
    extra_body: Mapping[str, object] = field(default_factory=dict[str, object])
    """Further fields of the request: web_search_options, search_domain_filter, ..."""
    timeout_s: float = 60.0
    """For one attempt, from sending to the answer's last byte."""
    tries: int = 3
    """Attempts where the server is busy, broken or out of reach."""


class AskWeb(Arguments):
    """Arguments of `ask_web`."""

    question: str = Field(
        min_length=1, max_length=QUESTION_CHARS, description="A whole question: whoever answers knows nothing else."
    )


def ask_web(who: SearchModel, environ: Mapping[str, str] = os.environ) -> AnyTool:
    """The tool that asks `who`. Raises NotUsable for an address that is none, and where the key is missing.

    Its name, description and schema are the same whoever answers. A server of this machine needs no key.
    """
    server = remote(
        "ask_web",
        who.base_url,
        who.api_key_env,
        timeout_s=who.timeout_s,
        tries=who.tries,
        max_bytes=MAX_RESPONSE_BYTES,
        environ=environ,
    )
    return Tool(
        name="ask_web",
        description=(
            "Ask a web search model about the world outside this repository: what a library or protocol promises, what "
            "an error message means. It cannot see this repository; never use it to find files. Returns a short answer "
            "with sources. Not reproducible: asked again, it may answer otherwise."
        ),
        arguments=AskWeb,
        run=_Asking(who, server).run,
        is_reproducible=False,
    )


class _Titled(BaseModel):
    """A page that an answer rests on: OpenAI's `url_citation`, an item of Perplexity's `search_results`."""

    title: str | None = None
    url: str | None = None

    def __str__(self) -> str:
        return ": ".join(part.strip() for part in (self.title, self.url) if part)


class _Annotation(BaseModel):
    url_citation: _Titled | None = None


class _Message(BaseModel):
    content: str | None = None
    annotations: list[_Annotation] | None = None


class _Choice(BaseModel):
    message: _Message


class _Completion(BaseModel):
    """What is read of a response; servers add what they like."""

    choices: list[_Choice] = Field(min_length=1)
    search_results: list[_Titled] | None = None
    citations: list[str | _Titled] | None = None

    @property
    def answer(self) -> str:
        return (self.choices[0].message.content or "").strip()

    def sources(self) -> Iterator[str]:
        """Each source once, as far as the server tells, in its order: answers refer to them by number."""
        cited = [note.url_citation for note in self.choices[0].message.annotations or () if note.url_citation]
        named = [str(source) for source in self.search_results or self.citations or cited]
        return iter(dict.fromkeys(" ".join(name.split()) for name in named if name.strip()))


@dataclass(frozen=True, slots=True)
class _Asking:
    """A search model and its server."""

    who: SearchModel
    server: Remote

    def run(self, _snapshot: Snapshot, arguments: AskWeb) -> Result:
        """Ask, and answer with what came back or with why nothing did. Blocks for as long as that takes."""
        try:
            completion = self._completion(arguments.question)
        except NoAnswer as why:
            return Result(f"The web could not be asked: {why}\nGo on without it.", ok=False)
        text = compose(HEAD, [shorten(completion.answer, ANSWER_CHARS), *_listed(completion)])
        return Result(self.server.scrubbed(text))

    def _completion(self, question: str) -> _Completion:
        messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": question}]
        body = {"model": self.who.model, "messages": messages, **self.who.extra_body}
        try:
            completion = _Completion.model_validate_json(self.server.post("/chat/completions", body))
        except ValidationError:
            raise self.server.no_answer("the server did not answer in the form of a chat completion") from None
        if not completion.answer:
            raise self.server.no_answer("the answer was empty")
        return completion


def _listed(completion: _Completion) -> list[str]:
    sources = list(completion.sources())
    rows = [f"[{number}] {shorten(source, SOURCE_CHARS)}" for number, source in enumerate(sources[:MAX_SOURCES], 1)]
    more = [f"and {len(sources) - MAX_SOURCES} more"] if len(sources) > MAX_SOURCES else []
    return ["", "Sources:", *rows, *more] if rows else []
