"""Evaluations: what each arm scored on the held-out questions. Knows nothing of how it is measured."""

from dataclasses import dataclass
from typing import Literal

from engine.records.comparison import Comparison
from engine.records.interval import Interval as Interval
from engine.records.judging import Judged
from engine.records.preference import Preference
from engine.records.question import Split
from engine.records.rate import Rate as Rate
from engine.records.rate import RuleRate as RuleRate
from engine.records.regressions import Regressions
from engine.records.rule import CheckResult

# "unprompted", "prompted", "distilled", "teacher" where it is another model, or an extra one: "run:3", …
ArmName = str
FinalVerdict = Literal["pass", "fail", "undecided"]


@dataclass(frozen=True, slots=True)
class ArmAnswer:
    """One sampled answer of one arm to one held-out question."""

    arm: ArmName
    question_id: int
    sample: int  # from 0
    answer: str
    finish_reason: str
    checks: tuple[CheckResult, ...]
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class HeldOutToken:
    """A token of a held-out answer of the prompted model, from which an arm is far there. Text is raw.

    `fixed_by`: rules whose checks dictate its characters; `failed_by`: rules that this answer breaks with them;
    `broken`: rules that the arm's own first answer to the question breaks.
    """

    kl: float  # nats
    question_id: int
    before: str  # the end of the answer up to the token
    token: str
    prompted: str  # the prompted model's likeliest token there, and
    arm: str  # the arm's; empty for the end of the answer
    fixed_by: tuple[int, ...] = ()
    failed_by: tuple[int, ...] = ()
    broken: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class HeldOutAnswer:
    """A held-out answer of the prompted model, and the rules that the arm's own first answer to its question breaks."""

    kl: float  # nats a token, on average
    tokens: int
    question_id: int
    broken: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Divergence:
    """Mean KL a token to the prompted model, in nats, with its 95 % interval; also on free tokens alone.

    The worst tokens and answers, the very worst first, are kept of arms that have an adapter.
    """

    mean: float
    low: float
    high: float
    mean_free_tokens: float
    worst_tokens: tuple[HeldOutToken, ...] = ()
    worst_answers: tuple[HeldOutAnswer, ...] = ()


@dataclass(frozen=True, slots=True)
class ArmScore:
    """Everything measured about one arm."""

    rules: tuple[RuleRate, ...]
    all_rules: Rate
    kl_to_prompted: Divergence | None
    prompt_tokens_mean: float
    completion_tokens_mean: float
    ttft_ms_p50: float | None  # None: not measured; 0 in evaluations made before that was told apart
    tokens_per_second_p50: float | None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One evaluation of one run. `arms` holds the arms that were measured, by name."""

    id: int
    run_id: int
    dataset_sha256: str
    prompt_sha256: str
    temperature: float
    samples: int
    reference: ArmName
    arms: tuple[tuple[ArmName, ArmScore], ...]
    recovered: Interval | None
    recovered_note: str
    ceiling: Rate | None
    verdict: FinalVerdict
    questions: int
    evaluate_s: float  # of its whole job, however often that was taken up again
    peak_rss_mb: float
    created_at: str = ""
    split: Split = "test"
    ratio: Interval | None = None  # distilled / reference of the all-rules rate
    comparisons: tuple[Comparison, ...] = ()
    more_questions: int | None = None  # that would decide; 0: decided; None: no number would, or it was not reckoned
    answers_key: str = ""  # under which the store keeps the arms' answers; empty in evaluations made before it was kept
    extra_keys: tuple[tuple[ArmName, str], ...] = ()  # the same, of each extra arm that has its own
    max_answer_tokens: int | None = None  # None in evaluations made before it was kept
    limit: int | None = None  # questions that were asked for at most; None: all
    seed: int = 0
    reused: int = 0  # answers that were there before its job: of an earlier evaluation, or under another job
    regressions: Regressions | None = None  # where they were asked for
    judged: Judged | None = None  # where rules are rubrics and a judge was asked
    preference: Preference | None = None  # where a judge was asked for it
    decided: int | None = None  # questions with an answer of every arm on which every rule was decided; None: all
    removed: tuple[int, ...] = ()  # questions that were removed while it ran, and that count in nothing here
    asked: tuple[int, ...] = ()  # the questions that count here; empty in evaluations made before they were kept
    rules_sha256: str = ""  # of the project's rules then; empty in evaluations made before it was kept

    @property
    def judge(self) -> str:
        """Whose verdicts belong to the answers; empty where there was no judge."""
        return "" if self.judged is None else self.judged.judge

    @property
    def decided_questions(self) -> int:
        """How many questions the recovered fraction, and so the verdict, rests on."""
        return self.questions if self.decided is None else self.decided

    def left_out(self, score: ArmScore) -> int:
        """How many of an arm's answers count in no rate of all rules together, for want of a verdict on some rule.

        Evaluations made before such answers were left out tell of none.
        """
        return max(0, self.questions * self.samples - score.all_rules.total)

    def arm(self, name: ArmName) -> ArmScore | None:
        return dict(self.arms).get(name)

    def comparison(self, arm: ArmName, against: ArmName) -> Comparison | None:
        """How these two differ, where it was reckoned."""
        return next((each for each in self.comparisons if (each.arm, each.against) == (arm, against)), None)
