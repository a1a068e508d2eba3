"""What a generation will take, before anything is paid for: answers, tokens, money and time, each with its source.

Prompt and question tokens are estimated from the text's length. Money uses given or list prices, and time the pace of
the last job that asked this teacher; each is None if unknown.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.economics.figures import ASSUMED
from engine.economics.prices import Prices, cost_usd, prices_for
from engine.economics.tokens import estimate_prompt_tokens, estimate_tokens
from engine.records.cost import EndpointPrices, Figure
from engine.records.example import Usage
from engine.records.job import Work
from engine.records.options import GenerateOptions, SynthesizeOptions, TeacherSpec
from engine.teachers.choice import chosen_ids
from engine.teachers.keys import check_address, is_loopback, key_place, variable_of

if TYPE_CHECKING:
    from engine.project import Project

_SAMPLED = 100  # questions, from whose text the tokens per character of all questions are estimated
_TOKENS_A_REQUEST = 180  # tokens that requests for topics and questions add around the prompt


@dataclass(frozen=True, slots=True)
class Money:
    """The cost of requests without the provider's cache: expected, and if every answer has the maximum length.

    Both are None if no price is known, and 0 if the teacher is on this machine.
    """

    usd: float | None
    most_usd: float | None
    source: str


@dataclass(frozen=True, slots=True)
class KeyState:
    """Where an endpoint's key comes from; `place` is None if there is none. `variable` is where to set one."""

    place: str | None
    variable: str


@dataclass(frozen=True, slots=True)
class GenerationOutlook:
    """What one generation will ask for."""

    questions: int
    answers: int  # requested in total
    stored: int  # answers already stored, which are not requested again
    prompt_tokens: int  # sent in total; estimated
    answer_tokens: Figure  # per answer
    money: Money
    seconds: float | None
    pace: str  # the source of the time
    key: KeyState | None  # None: not an endpoint
    unsplit: int  # questions that are not in a split yet

    @property
    def left(self) -> int:
        """How many answers are still to be requested."""
        return self.answers - self.stored


@dataclass(frozen=True, slots=True)
class SynthesisOutlook:
    """What writing questions will ask for, if every reply is a complete list."""

    requests: int
    questions: int
    prompt_tokens: int
    answer_tokens: int
    money: Money
    key: KeyState | None


def generation_outlook(project: "Project", options: GenerateOptions) -> GenerationOutlook:
    """Estimate one generation.

    Raises `UsageError` without a prompt or for an unsafe address, `EndpointError` for a key file others can read.
    """
    prompt, teacher = project.prompts.require(), options.teacher
    key = _key(project, teacher)
    covered = project.questions.coverage(chosen_ids(project, options), prompt.sha256, teacher.name, options.samples)
    answers = covered.questions * options.samples
    left = answers - covered.answers
    question_tokens = covered.characters * _tokens_a_character(project) / max(covered.questions, 1)
    sent = math.ceil(left * (estimate_prompt_tokens(prompt).tokens + question_tokens))
    each = _answer_tokens(project, options)
    seconds, pace = _pace(project, teacher)
    return GenerationOutlook(
        questions=covered.questions,
        answers=answers,
        stored=covered.answers,
        prompt_tokens=sent,
        answer_tokens=each,
        money=_money(project, teacher, left, sent, each.value * left, options.max_answer_tokens * left),
        seconds=None if seconds is None else seconds * left,
        pace=pace,
        key=key,
        unsplit=project.questions.split_counts().get(None, 0),
    )


def synthesis_outlook(project: "Project", options: SynthesizeOptions) -> SynthesisOutlook:
    """Estimate a synthesis. Raises as `generation_outlook` does."""
    prompt, teacher = project.prompts.require(), options.teacher
    key = _key(project, teacher)
    requests = len(options.like) or options.topics + 1
    questions = (len(options.like) or options.topics) * options.per_topic
    sent = requests * (estimate_prompt_tokens(prompt).tokens + _TOKENS_A_REQUEST)
    written = math.ceil(questions * ASSUMED["question_tokens"][0])
    money = _money(project, teacher, requests, sent, written, written)
    return SynthesisOutlook(requests, questions, sent, written, money, key)


def _tokens_a_character(project: "Project") -> float:
    texts = [message.content for question in project.questions.window(0, _SAMPLED) for message in question.messages]
    characters = sum(map(len, texts))
    return sum(map(estimate_tokens, texts)) / characters if characters else 0.0


def _answer_tokens(project: "Project", options: GenerateOptions) -> Figure:
    measured = project.spending.mean_answer_tokens(options.teacher.name)
    if measured is not None:
        return Figure(min(measured, float(options.max_answer_tokens)), "measured", "this teacher's answers so far")
    assumed, why = ASSUMED["answer_tokens"]
    return Figure(min(assumed, float(options.max_answer_tokens)), "assumed", why)


def why_unpaid(teacher: TeacherSpec, given: Sequence[EndpointPrices]) -> str:
    """Return why this teacher's answers are not billed; empty if its provider bills them, or may."""
    if teacher.kind == "local":
        return "nothing leaves this machine"
    priced = prices_for(given, teacher.model, teacher.base_url) is not None
    return "a server on this machine" if is_loopback(teacher.base_url) and not priced else ""


def _money(project: "Project", teacher: TeacherSpec, requests: int, sent: float, answered: float, most: float) -> Money:
    given = project.settings.read().prices
    if unpaid := why_unpaid(teacher, given):
        return Money(0.0, 0.0, unpaid)
    prices = prices_for(given, teacher.model, teacher.base_url, math.ceil(sent / max(requests, 1)))
    if prices is None:
        return Money(None, None, "no price is listed")
    return Money(_cost(prices, sent, answered), _cost(prices, sent, most), prices.source)


def _cost(prices: Prices, sent: float, answered: float) -> float:
    return cost_usd(prices, Usage(prompt_tokens=math.ceil(sent), completion_tokens=math.ceil(answered)))


def _pace(project: "Project", teacher: TeacherSpec) -> tuple[float | None, str]:
    """Return the seconds per answer, and the job in which they were measured."""
    for job, options in project.jobs.of_kind(GenerateOptions):
        if options.teacher.name != teacher.name or not job.ended_at:
            continue
        work = project.jobs.work(job.id).get(options.station, Work())
        if work.answers:
            return work.seconds / work.answers, f"job {job.id}"
    return None, ""


def _key(project: "Project", teacher: TeacherSpec) -> KeyState | None:
    if teacher.kind == "local":
        return None
    address = check_address(teacher.base_url)
    return KeyState(key_place(address, project.home), variable_of(address))
