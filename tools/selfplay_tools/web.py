"""`ask_web`: a question to a search model on the web. Off unless a run or a server is configured with it.

Any model that searches by itself and speaks the chat completions protocol. What it says is nobody's promise: asked
again it may say something else, and it comes from pages that anybody may write.
"""

import ipaddress
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2
import openai
from pydantic import BaseModel, Field, ValidationError

from selfplay_tools.bounded import bounded
from selfplay_tools.errors import NotUsable
from selfplay_tools.output import compose, shorten
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
WHY_CHARS = 300
MAX_RESPONSE_BYTES = 4 << 20
CONNECT_S = 15.0
SHORTEST_SECRET = 8
"""Shorter keys protect nothing, and are words that answers may hold."""
KEY_LIKE = re.compile(r"(?<![A-Za-z0-9])(sk-[A-Za-z0-9_-]{16,}|pplx-[A-Za-z0-9]{16,}|Bearer [A-Za-z0-9._~+/=-]{8,})")


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
    asking = _Asking(who, _key(who, environ))
    return Tool(
        name="ask_web",
        description=(
            "Ask a web search model about the world outside this repository: what a library or protocol promises, what "
            "an error message means. It cannot see this repository; never use it to find files. Returns a short answer "
            "with sources. Not reproducible: asked again, it may answer otherwise."
        ),
        arguments=AskWeb,
        run=asking.run,
        is_reproducible=False,
    )


def _key(who: SearchModel, environ: Mapping[str, str]) -> str:
    url = _address(who.base_url)
    key = environ.get(who.api_key_env, "").strip()
    if not key and not _is_loopback(url.host):
        raise NotUsable(f"ask_web: no key for {url.host}: set the environment variable {who.api_key_env}")
    if not re.fullmatch(r"[\x21-\x7e]*", key):
        raise NotUsable(f"ask_web: the key in {who.api_key_env} holds characters that no HTTP header can carry")
    return key or "none"


def _address(base_url: str) -> httpx2.URL:
    try:
        url = httpx2.URL(base_url)
    except (httpx2.InvalidURL, UnicodeError):
        url = httpx2.URL("")
    if url.scheme not in {"http", "https"} or not url.host:
        raise NotUsable("ask_web: base_url is no http(s) address: write it like https://api.example.org/v1")
    if url.userinfo:
        raise NotUsable("ask_web: base_url holds a user name or password: put the key into the environment")
    return url


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


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
    """A search model with its key."""

    who: SearchModel
    key: str = field(repr=False)

    def run(self, _snapshot: Snapshot, arguments: AskWeb) -> Result:
        """Ask, and answer with what came back or with why nothing did. Blocks for as long as that takes."""
        try:
            completion = _Completion.model_validate_json(self._post(arguments.question))
        except ValidationError:
            return self._failed("the server did not answer in the form of a chat completion")
        except openai.APIStatusError as error:
            return self._failed(f"the server answered with status {error.status_code}: {_said(error)}")
        except openai.APITimeoutError:
            return self._failed(f"no answer within {self.who.timeout_s:g} s")
        except (openai.APIConnectionError, httpx2.HTTPError, OSError) as error:
            return self._failed(f"the connection failed: {_first(error)}")
        if not completion.answer:
            return self._failed("the answer was empty")
        return Result(self._scrubbed(compose(HEAD, [shorten(completion.answer, ANSWER_CHARS), *_listed(completion)])))

    def _post(self, question: str) -> bytes:
        messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": question}]
        body = {"model": self.who.model, "messages": messages, **self.who.extra_body}
        # A client for each question: they are rare, and nothing is left to close.
        with self._client() as client:
            return client.post("/chat/completions", cast_to=httpx2.Response, body=body).content

    def _client(self) -> openai.OpenAI:
        limits = httpx2.Timeout(self.who.timeout_s, connect=min(CONNECT_S, self.who.timeout_s))
        headers: dict[str, Any] = {
            "Accept-Encoding": "identity",  # so that the bound on the response is one on memory
            "OpenAI-Organization": openai.omit,  # from the environment, and nobody else's business
            "OpenAI-Project": openai.omit,
        }
        return openai.OpenAI(
            api_key=self.key,
            base_url=self.who.base_url,
            default_headers=headers,
            max_retries=self.who.tries - 1,
            timeout=limits,
            http_client=openai.DefaultHttpx2Client(
                timeout=limits,
                trust_env=not _is_loopback(_address(self.who.base_url).host),
                follow_redirects=False,
                event_hooks={"response": [bounded(MAX_RESPONSE_BYTES, self.who.timeout_s)]},
            ),
        )

    def _failed(self, why: str) -> Result:
        told = shorten(self._scrubbed(" ".join(why.split())), WHY_CHARS)
        return Result(f"The web could not be asked: {told}\nGo on without it.", ok=False)

    def _scrubbed(self, text: str) -> str:
        """The text without the key, and without anything that looks like one."""
        without = text.replace(self.key, "[key]") if len(self.key) >= SHORTEST_SECRET else text
        return KEY_LIKE.sub("[key]", without)


def _listed(completion: _Completion) -> list[str]:
    sources = list(completion.sources())
    rows = [f"[{number}] {shorten(source, SOURCE_CHARS)}" for number, source in enumerate(sources[:MAX_SOURCES], 1)]
    more = [f"and {len(sources) - MAX_SOURCES} more"] if len(sources) > MAX_SOURCES else []
    return ["", "Sources:", *rows, *more] if rows else []


def _said(error: openai.APIStatusError) -> str:
    """The server's own words, as far as it has any."""
    match error.body:
        case {"message": str(words)} | {"error": {"message": str(words)} | str(words)} | str(words):
            return words
        case _:
            return error.response.reason_phrase or "no reason given"


def _first(error: BaseException) -> str:
    """What happened, in the words of whoever noticed first."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return str(error) or type(error).__name__
