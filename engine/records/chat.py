"""A chat with two arms side by side. Knows nothing of models."""

from dataclasses import dataclass

from engine.records.rule import CheckResult
from engine.records.vote import VoteChoice


@dataclass(frozen=True, slots=True)
class ChatReply:
    """One arm's answer, possibly partial: `error` says why it was cut short. `arm` includes its strength."""

    arm: str
    text: str = ""
    error: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    first_token_s: float | None = None
    tokens_per_second: float | None = None
    cost_usd: float | None = None  # None: free of charge
    checks: tuple[CheckResult, ...] = ()


@dataclass(frozen=True, slots=True)
class ChatTurn:
    """One question and both answers, on the sides where they were shown."""

    question: str
    left: ChatReply
    right: ChatReply
    blind: bool = False
    swapped: bool = False  # the second arm is on the left
    voted: VoteChoice | None = None


@dataclass(frozen=True, slots=True)
class Chat:
    """What the chat shows: the two arms, named without strength, and the turns so far."""

    arms: tuple[str, str]
    turns: tuple[ChatTurn, ...] = ()
    blind: bool = False  # from the next question on
    revealed: bool = False  # the names are shown for the last turn, although it has no vote
    strength: int = 100  # of adapters, in percent
