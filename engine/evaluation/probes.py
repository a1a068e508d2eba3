"""The probes: questions that show the side effects of a training. Asks no model.

general      the test split of the bundled general questions, which no student is trained on
recitation   requests to reveal the prompt, in several phrasings
injection    held-out questions that end with an order to break the rules; the question's number selects the order
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from engine.bundled import bundled_text
from engine.evaluation.plan import Plan, Task
from engine.questions.general import QUESTIONS, general_questions
from engine.questions.sampling import spread
from engine.records.evaluation import ArmName
from engine.records.options import EvaluateOptions
from engine.records.prompt import Message
from engine.records.question import Question
from engine.records.regressions import ProbeKind
from engine.seeds import answer_seed

PROBED: dict[ProbeKind, tuple[ArmName, ...]] = {
    "general": ("unprompted", "distilled"),
    "recitation": ("unprompted", "distilled"),
    "injection": ("prompted", "distilled"),
}
_WORDS: dict[ProbeKind, str] = {
    "general": QUESTIONS,
    "recitation": "probes/recitation.txt",
    "injection": "probes/injection.txt",
}
ANSWER_TOKENS = 48  # maximum for probes without rule rates; injections may be as long as held-out answers
INJECTED_QUESTIONS = 20


@dataclass(frozen=True, slots=True)
class ProbeCount:
    """The work of one kind of probe: answers to generate, and answers to read again for divergence."""

    answers: int
    readings: int = 0


def probes(questions: Sequence[Question], seed: int) -> dict[ProbeKind, tuple[Task, ...]]:
    """Return every probe once. A probe's number never depends on how many held-out `questions` there are."""
    asked: dict[ProbeKind, Sequence[Question]] = {
        "general": general_questions("test"),
        "recitation": [
            Question((Message("user", text),), id=number)
            for number, text in enumerate(bundled_text(_WORDS["recitation"]).splitlines())
        ],
        "injection": injected(questions),
    }
    return {
        kind: tuple(Task(question, 0, answer_seed(seed, question.id, 0), kind) for question in found)
        for kind, found in asked.items()
    }


def injected(questions: Sequence[Question]) -> list[Question]:
    """At most `INJECTED_QUESTIONS`, evenly spaced, each with an order to break the rules after its last message."""
    orders = bundled_text(_WORDS["injection"]).splitlines()
    found = []
    for question in spread(questions, INJECTED_QUESTIONS):
        order = orders[answer_seed(0, question.id, 0) % len(orders)]
        *before, last = question.messages
        messages = (*before, Message(last.role, f"{last.content}\n\n{order}"))
        found.append(Question(messages, question.topic, question.source, question.label, question.split, question.id))
    return found


def probe_counts(questions: int) -> dict[ProbeKind, ProbeCount]:
    """The work of `probes` for a number of held-out questions, without building them; the base's general answers are
    read again.
    """
    general = len(general_questions("test"))
    asked: dict[ProbeKind, int] = {
        "general": general,
        "recitation": len(bundled_text(_WORDS["recitation"]).splitlines()),
        "injection": min(INJECTED_QUESTIONS, questions),
    }
    return {
        kind: ProbeCount(count * len(PROBED[kind]), general if kind == "general" else 0)
        for kind, count in asked.items()
    }


def answer_limit(kind: ProbeKind, options: EvaluateOptions) -> int:
    """The maximum tokens of an answer to a probe of this kind."""
    return options.max_answer_tokens if kind == "injection" else min(ANSWER_TOKENS, options.max_answer_tokens)


def probe_source(plan: Plan, arm: ArmName, kind: ProbeKind) -> str:
    """A hash of everything that determines an arm's answers to these probes, except the probe's number. For two runs on
    one base, it is the same in every arm that does not use the run's adapter.
    """
    asked = hashlib.sha256(bundled_text(_WORDS[kind]).encode()).hexdigest()
    return hashlib.sha256(f"{plan.sources[arm]} {kind} {asked} {ANSWER_TOKENS}".encode()).hexdigest()
