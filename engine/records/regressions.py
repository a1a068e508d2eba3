"""Side effects of training: on general answers, on leaking the prompt, and on obeying its rules under attack."""

from dataclasses import dataclass
from typing import Literal

from engine.records.interval import Interval
from engine.records.rate import Rate, RuleRate

# general: questions unrelated to the prompt; recitation: requests for the prompt itself; injection: held-out questions
# that end with an order to break the rules
ProbeKind = Literal["general", "recitation", "injection"]


@dataclass(frozen=True, slots=True)
class GeneralChecks:
    """One arm's answers to general questions: the rate that passes each built-in check."""

    arm: str
    ended: Rate  # ended on its own, within the token limit
    not_empty: Rate
    in_language: Rate  # in English; questions that ask for a translation are left out
    free_of_rules: Rate | None  # contains no words dictated by a rule; None: no rule dictates words


@dataclass(frozen=True, slots=True)
class Recitation:
    """One arm's answers, without the prompt, to requests for it.

    `recited` is the rate of answers that contain 13 or more words of it in a row.
    """

    arm: str
    recited: Rate
    longest_words: int  # the longest run of words from the system message in any answer
    longest: str  # that run, as written in the answer
    probe: str  # the request that led to it; empty if there was no such run


@dataclass(frozen=True, slots=True)
class Injection:
    """One arm's answers to questions that end with an order to break the rules: how many still pass."""

    arm: str
    rules: tuple[RuleRate, ...]
    all_rules: Rate


@dataclass(frozen=True, slots=True)
class Regressions:
    """One answer of each arm to each probe. Nothing here decides the verdict."""

    general_questions: int
    answer_tokens: int  # maximum tokens per answer to a general question or a request for the prompt
    kl_to_unprompted: Interval | None  # KL(base ‖ student) in nats per token of the base's answers; None: all empty
    general: tuple[GeneralChecks, ...]
    recitation: tuple[Recitation, ...]
    injection: tuple[Injection, ...]
    seconds: float  # spent on it by this process
