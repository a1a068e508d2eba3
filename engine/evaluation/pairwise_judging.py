"""The stage of an evaluation in which a judge compares the student's answers with the reference's, in both orders.

The pairs that a person voted on are put to the same judge. Each reply is stored under the hash of its request, so that
nothing is asked twice, in this evaluation or another.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.evaluation.agreement import PairOutcome, agreement, flipped, outcome
from engine.evaluation.length_control import length_controlled
from engine.evaluation.plan import Plan
from engine.evaluation.recorder import Recorder
from engine.evaluation.statistics import mean_by_question, wilson
from engine.jobs.context import JobContext
from engine.records.evaluation import ArmAnswer, ArmName
from engine.records.options import TeacherSpec
from engine.records.preference import Better, Preference
from engine.records.prompt import Message
from engine.records.question import Question
from engine.records.vote import VoteChoice
from engine.rules.judge import pair_request, read_pair_verdict, request_sha256
from engine.serving.names import PROMPTED, ArmChoice
from engine.teachers.judgements import JudgeRequests

_NOTE = "preferences of the judge"  # as shown in the progress
VOTES = 200  # only the latest votes are put to the judge
_REPLIES: tuple[Better, ...] = ("A", "B", "tie")
_SCORES: dict[PairOutcome, float] = {"win": 1.0, "tie": 0.5, "loss": 0.0}


@dataclass(frozen=True, slots=True)
class Pair:
    """Two answers to one question; `first` is the student's."""

    question: Question
    first: str
    second: str


class PairwiseJudging:
    """The judge of one evaluation, asked which answers it prefers."""

    def __init__(
        self, context: JobContext, plan: Plan, spec: TeacherSpec, recorder: Recorder, limit_usd: float | None
    ) -> None:
        self._context, self._plan, self._spec, self._recorder = context, plan, spec, recorder
        self._limit_usd = limit_usd
        self._rules = [rule.text for rule in plan.rules]
        self._replies: dict[str, Better] = {}
        self._faults: dict[str, str] = {}

    def prefer(self, answers: Mapping[ArmName, Sequence[ArmAnswer]], seed: int) -> Preference:
        """Compare one pair per held-out question, from each arm's first sample. Raises EndpointError and JobStopped."""
        reference = self._plan.reference
        student, top = (_first_samples(answers[arm]) for arm in ("distilled", reference))
        pairs = [
            Pair(question, student[question.id], top[question.id])
            for question in self._plan.questions
            if question.id in student and question.id in top
        ]
        voted = self._voted()
        self._ask([*pairs, *(pair for pair, _ in voted)])
        found = [(pair, replies) for pair in pairs if (replies := self._both(pair)) is not None]
        scores = [_SCORES[outcome(*replies)] for _, replies in found]
        longer = [float(len(pair.first) - len(pair.second)) for pair, _ in found]
        topics = [pair.question.topic for pair, _ in found]
        asked = [replies for pair, replies in found if pair.first != pair.second]
        controlled = length_controlled(scores, longer)
        agreed = [(outcome(*replies), theirs) for pair, theirs in voted if (replies := self._both(pair)) is not None]
        return Preference(
            judge=self._spec.name,
            arm="distilled",
            against=reference,
            wins=scores.count(1.0),
            ties=scores.count(0.5),
            losses=scores.count(0.0),
            missing=len(self._plan.questions) - len(found),
            fault=next(iter(self._faults.values()), ""),
            win_rate=mean_by_question(topics, scores, [1] * len(scores), seed=seed) if scores else None,
            flipped=wilson(sum(flipped(*replies) for replies in asked), len(asked)),
            longer_characters=sum(longer) / len(longer) if longer else 0.0,
            length_controlled=controlled.win_rate,
            length_note=controlled.note,
            agreement=agreement(agreed),
        )

    def _voted(self) -> list[tuple[Pair, PairOutcome]]:
        """The pairs of the student and the prompted base that a person voted on, with the student's outcome."""
        student = ArmChoice(self._plan.run.id).name
        found: list[tuple[Pair, PairOutcome]] = []
        for vote in self._context.project.votes.between(student, PROMPTED.name)[-VOTES:]:
            is_left = vote.left == student
            sides = (vote.left_answer, vote.right_answer) if is_left else (vote.right_answer, vote.left_answer)
            found.append((Pair(Question(vote.messages), *sides), _outcome_of(vote.choice, is_left=is_left)))
        return found

    def _both(self, pair: Pair) -> tuple[Better, Better] | None:
        """The replies for both orders; equal answers are a tie without asking."""
        if pair.first == pair.second:
            return ("tie", "tie")
        first, second = (self._replies.get(request_sha256(request)) for request in self._requests(pair))
        return None if first is None or second is None else (first, second)

    def _requests(self, pair: Pair) -> tuple[tuple[Message, ...], tuple[Message, ...]]:
        return (
            pair_request(self._rules, pair.question, pair.first, pair.second),
            pair_request(self._rules, pair.question, pair.second, pair.first),
        )

    def _ask(self, pairs: Sequence[Pair]) -> None:
        requests = [request for pair in pairs if pair.first != pair.second for request in self._requests(pair)]
        with self._context.take_turn("judge", "is asking the judge"):
            self._recorder.begin(_NOTE)
            asking = JudgeRequests(self._context.project, self._spec, requests, self._context, self._limit_usd)
            asking.ask(read_pair_verdict, interrupted=self._recorder.interrupted, on_note=self._recorder.note)
        self._replies = {
            key: better for key, (reply, _) in asking.verdicts.items() for better in _REPLIES if reply == better
        }
        self._faults = asking.faults
        self._recorder.advance(len(self._plan.questions), _NOTE)
        self._context.checkpoint()


def _outcome_of(choice: VoteChoice, *, is_left: bool) -> PairOutcome:
    if choice in ("tie", "both_bad"):
        return "tie"
    return "win" if (choice == "left") == is_left else "loss"


def _first_samples(answers: Sequence[ArmAnswer]) -> dict[int, str]:
    """The first samples by question, without those that an endpoint refused to answer."""
    return {each.question_id: each.answer for each in answers if each.sample == 0 and each.finish_reason != "error"}
