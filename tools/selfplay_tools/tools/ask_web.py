"""`ask_web`: a question to a search model on the web. Off unless a run or a server is configured with it.

Any model that searches by itself and speaks the chat completions protocol. Its answers are not
reliable: asked again it may answer otherwise, and what it says comes from pages that anybody may write.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from pydantic import BaseModel, Field, ValidationError

from selfplay_tools.output import DEFAULT_LIMITS, ResultLimits, compose, count_fitting, shorten
from selfplay_tools.protocols import Snapshot
from selfplay_tools.tools.remote_service import NoAnswer, RemoteService, make_remote_service
from selfplay_tools.tools.tool import AnyTool, CallResult, Tool, ToolArguments

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
class WebSearchModel:
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


class AskWeb(ToolArguments):
    """Arguments of `ask_web`."""

    question: str = Field(
        min_length=1, max_length=QUESTION_CHARS, description="A whole question: whoever answers knows nothing else."
    )


def make_ask_web(search_model: WebSearchModel, environ: Mapping[str, str] = os.environ) -> AnyTool:
    """The tool that asks this model. Raises NotUsable for an address that is none, and where the key is missing.

    Its name, description and schema are the same whoever answers. A server of this machine needs no key.
    """
    server = make_remote_service(
        "ask_web",
        search_model.base_url,
        search_model.api_key_env,
        timeout_s=search_model.timeout_s,
        tries=search_model.tries,
        max_bytes=MAX_RESPONSE_BYTES,
        environ=environ,
    )
    return _make_tool(_WebSearch(search_model, server))


def _make_tool(web: "_WebSearch", limits: ResultLimits = DEFAULT_LIMITS) -> AnyTool:
    return Tool(
        name="ask_web",
        description=(
            "Ask a web search model about the world outside this repository: what a library or protocol promises, what "
            "an error message means. It cannot see this repository; never use it to find files. Returns a short answer "
            "with sources. Not reproducible: asked again, it may answer otherwise."
        ),
        arguments=AskWeb,
        run=replace(web, limits=limits).run,
        is_reproducible=False,
        limits=limits,
        remake=partial(_make_tool, web),
    )


class _WebSource(BaseModel):
    """A page that an answer rests on: OpenAI's `url_citation`, an item of Perplexity's `search_results`."""

    title: str | None = None
    url: str | None = None

    def __str__(self) -> str:
        return ": ".join(part.strip() for part in (self.title, self.url) if part)


class _CitationAnnotation(BaseModel):
    url_citation: _WebSource | None = None


class _WebMessage(BaseModel):
    content: str | None = None
    annotations: list[_CitationAnnotation] | None = None


class _WebChoice(BaseModel):
    message: _WebMessage


class _WebCompletion(BaseModel):
    """What is read of a response; servers add what they like."""

    choices: list[_WebChoice] = Field(min_length=1)
    search_results: list[_WebSource] | None = None
    citations: list[str | _WebSource] | None = None

    @property
    def answer(self) -> str:
        return (self.choices[0].message.content or "").strip()

    def list_sources(self) -> Iterator[str]:
        """Each source once, as far as the server tells, in its order: answers refer to them by number."""
        cited = [note.url_citation for note in self.choices[0].message.annotations or () if note.url_citation]
        named = [str(source) for source in self.search_results or self.citations or cited]
        return iter(dict.fromkeys(" ".join(name.split()) for name in named if name.strip()))


@dataclass(frozen=True, slots=True)
class _WebSearch:
    """A search model and its server."""

    search_model: WebSearchModel
    server: RemoteService
    limits: ResultLimits = DEFAULT_LIMITS

    def run(self, _snapshot: Snapshot, arguments: AskWeb) -> CallResult:
        """Ask, and answer with what came back or with why nothing did. Blocks for as long as that takes."""
        try:
            completion = self._request_completion(arguments.question)
        except NoAnswer as why:
            return CallResult(f"The web could not be asked: {why}\nGo on without it.", ok=False)
        room = self.limits.room
        answer = shorten(completion.answer, min(ANSWER_CHARS, room // 2))
        text = compose(HEAD, [answer, *_format_sources(completion, room // 2 - len(HEAD))])
        return CallResult(self.server.scrub(text))

    def _request_completion(self, question: str) -> _WebCompletion:
        messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": question}]
        body = {"model": self.search_model.model, "messages": messages, **self.search_model.extra_body}
        try:
            completion = _WebCompletion.model_validate_json(self.server.post("/chat/completions", body))
        except ValidationError:
            raise self.server.make_no_answer("the server did not answer in the form of a chat completion") from None
        if not completion.answer:
            raise self.server.make_no_answer("the answer was empty")
        return completion


def _format_sources(completion: _WebCompletion, room: int) -> list[str]:
    sources = list(completion.list_sources())
    width = min(SOURCE_CHARS, room // 2)
    rows = [f"[{number}] {shorten(source, width)}" for number, source in enumerate(sources[:MAX_SOURCES], 1)]
    rows = rows[: count_fitting(rows, room)]
    more = [f"and {len(sources) - len(rows)} more"] if len(sources) > len(rows) else []
    return ["", "Sources:", *rows, *more] if rows else []
