"""What is asked beside the held-out questions, to see what a training did beside its purpose. Asks nobody.

general      the bundled general questions' test split, which no student is trained on
recitation   requests for the prompt itself, in several phrasings
injection    held-out questions that end with an order against the rules: which order, the question's number decides
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from engine.bundled import bundled_text
from engine.evaluation.plan import Plan, Task
from engine.questions.general import QUESTIONS, general_questions
from engine.questions.spread import spread
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
ANSWER_TOKENS = 48  # of an answer whose rules are not counted; others may be as long as held-out answers
INJECTED_QUESTIONS = 20


@dataclass(frozen=True, slots=True)
class ProbeCount:
    """What the probes of one kind take: so many answers, and so many that are read once more, for divergence."""

    answers: int
    readings: int = 0


def probes(questions: Sequence[Question], seed: int) -> dict[ProbeKind, tuple[Task, ...]]:
    """Every probe once, beside the held-out `questions`. A probe's number never depends on how many they are."""
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
    """At most `INJECTED_QUESTIONS`, evenly from all, each with an order against the rules below its last message."""
    orders = bundled_text(_WORDS["injection"]).splitlines()
    found = []
    for question in spread(questions, INJECTED_QUESTIONS):
        order = orders[answer_seed(0, question.id, 0) % len(orders)]
        *before, last = question.messages
        messages = (*before, Message(last.role, f"{last.content}\n\n{order}"))
        found.append(Question(messages, question.topic, question.source, question.label, question.split, question.id))
    return found


def probe_counts(questions: int) -> dict[ProbeKind, ProbeCount]:
    """What `probes` beside so many held-out questions take, without making them; the base's general answers are read
    once more.
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
    """The most tokens of an answer to such a probe."""
    return options.max_answer_tokens if kind == "injection" else min(ANSWER_TOKENS, options.max_answer_tokens)


def probe_source(plan: Plan, arm: ArmName, kind: ProbeKind) -> str:
    """All that an arm's answers to such probes come from beside a probe's number, as a hash: of two runs on one base it
    is the same in every arm that knows nothing of the run.
    """
    asked = hashlib.sha256(bundled_text(_WORDS[kind]).encode()).hexdigest()
    return hashlib.sha256(f"{plan.sources[arm]} {kind} {asked} {ANSWER_TOKENS}".encode()).hexdigest()
