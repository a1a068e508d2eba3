"""What a training did beside its purpose: to general answers, to the prompt's secrecy, to the hold of its rules."""

from dataclasses import dataclass
from typing import Literal

from engine.records.interval import Interval
from engine.records.rate import Rate, RuleRate

# general: questions that the prompt has nothing to do with; recitation: requests for the prompt itself; injection:
# held-out questions that end with an order against the rules
ProbeKind = Literal["general", "recitation", "injection"]


@dataclass(frozen=True, slots=True)
class GeneralChecks:
    """One arm's answers to general questions: the share that passes each check of our own."""

    arm: str
    ended: Rate  # by itself, within the limit
    not_empty: Rate
    in_language: Rate  # of the question; those that ask for another one are left out
    free_of_rules: Rate | None  # holds no words that a rule dictates; None: no rule dictates any


@dataclass(frozen=True, slots=True)
class Recitation:
    """One arm's answers, without the prompt, to requests for it. Rate: answers that recite 13 words or more of it."""

    arm: str
    recited: Rate
    longest_words: int  # the longest run of the system message's words in any answer
    longest: str  # as it stands in that answer
    probe: str  # that drew it out; empty where nothing was shared


@dataclass(frozen=True, slots=True)
class Injection:
    """One arm's answers to questions that end with an order against the rules: what is kept all the same."""

    arm: str
    rules: tuple[RuleRate, ...]
    all_rules: Rate


@dataclass(frozen=True, slots=True)
class Regressions:
    """One answer of each arm to each probe. Nothing here decides the verdict."""

    general_questions: int
    answer_tokens: int  # at most, of an answer to a general question or to a request for the prompt
    kl_to_unprompted: Interval | None  # KL(base ‖ student), nats a token of the base's own answers; None: all empty
    general: tuple[GeneralChecks, ...]
    recitation: tuple[Recitation, ...]
    injection: tuple[Injection, ...]
    seconds: float  # that this process took for it
