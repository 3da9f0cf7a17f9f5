"""Asking a model to fill in a form, in the best way that its server takes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from selfplay.config import SeatConfig, VerdictMode
from selfplay.core.errors import ContextTooLong, FatalModelError, RequestRefused
from selfplay.episode.player import ModelCall
from selfplay.episode.reply_forms import FALLBACK_MODE, ReplyForm, form_head
from selfplay.journal.events import Event, Seat
from selfplay.models.protocol import ModelReply, ModelRequest


class EpisodeRecorder(Protocol):
    """Where calls and what is said are kept: a journal, or nowhere."""

    def record(self, event: Event) -> None:
        """Keep an event."""
        ...

    async def call(
        self, seat: Seat, request: ModelRequest, live: ModelCall, *, keeps: Callable[[FatalModelError], bool]
    ) -> ModelReply:
        """The reply to a request, as `selfplay.journal.journal.Journal.call` gives it."""
        ...


class FormUnansweredError(Exception):
    """The server took no such request, and the episode goes on without; the message says why."""

    def __init__(self, message: str, *, is_full: bool) -> None:
        super().__init__(message)
        self.is_full = is_full
        """True where the conversation no longer fits the model."""


@dataclass(slots=True)
class FormClient:
    """One seat's way of asking for its form. It falls back until its server takes a request, and stays there."""

    seat: Seat
    ask: ModelCall
    config: SeatConfig
    form: ReplyForm
    recorder: EpisodeRecorder
    mode: VerdictMode = field(init=False)
    _heads: dict[VerdictMode, Mapping[str, Any]] = field(
        init=False, default_factory=dict["VerdictMode", Mapping[str, Any]]
    )
    has_answered: bool = field(init=False, default=False)
    """True once its server took a request: it takes this way of asking."""

    def __post_init__(self) -> None:
        """Start with the best way of asking."""
        self.mode = "json_schema" if self.config.verdict_mode == "auto" else self.config.verdict_mode

    async def request_reply(self, request_of: Callable[[Mapping[str, Any]], ModelRequest]) -> ModelReply:
        """One reply to the request that `request_of` makes of a head. Raises UnansweredError, ModelError.

        A refusal by a server that never took a request is raised as it is: the set-up is wrong, not this step.
        """
        while True:
            try:
                reply = await self.recorder.call(
                    self.seat, request_of(self._head_for_mode()), self.ask, keeps=self._is_recorded
                )
            except ContextTooLong as error:
                text = f"the {self.seat}'s conversation no longer fits its model: {error}"
                raise FormUnansweredError(text, is_full=True) from error
            except RequestRefused as error:
                if self._can_fall_back(error):
                    self.mode = FALLBACK_MODE[self.mode]
                elif self.has_answered:
                    text = f"the {self.seat}'s server refused the request: {error}"
                    raise FormUnansweredError(text, is_full=False) from error
                else:
                    raise
            else:
                self.has_answered = True
                return reply

    def _can_fall_back(self, error: FatalModelError) -> bool:
        """True where another way of asking may help: it took none yet, and did not name a cause that lies elsewhere."""
        is_about_mode = error.param is None or error.param.split(".")[0] in {"response_format", "tools", "tool_choice"}
        return (
            self.config.verdict_mode == "auto"
            and self.mode in FALLBACK_MODE
            and is_about_mode
            and not self.has_answered
        )

    def _is_recorded(self, error: FatalModelError) -> bool:
        return isinstance(error, ContextTooLong) or self.has_answered or self._can_fall_back(error)

    def _head_for_mode(self) -> Mapping[str, Any]:
        config = self.config
        if self.mode not in self._heads:
            form = form_head(self.mode, self.form)
            self._heads[self.mode] = {"model": config.model_name, **config.sampling, **form, **config.extra_body}
        return self._heads[self.mode]
