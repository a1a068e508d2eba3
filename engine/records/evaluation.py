"""Evaluations: each arm's scores on the held-out questions. Knows nothing of how they are measured."""

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

# "unprompted", "prompted", "distilled", "teacher" (if it is another model), or an extra arm such as "run:3"
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
    """A token of a held-out answer of the prompted model at which an arm diverges strongly. Text is raw.

    `fixed_by`: rules whose checks dictate this token's characters; `failed_by`: rules that the answer breaks at these
    characters; `broken`: rules that the arm's own first answer to the question breaks.
    """

    kl: float  # nats
    question_id: int
    before: str  # the last characters of the answer before the token
    token: str
    prompted: str  # the prompted model's most likely token here; empty: the end of the answer
    arm: str  # the arm's most likely token here; empty: the end of the answer
    fixed_by: tuple[int, ...] = ()
    failed_by: tuple[int, ...] = ()
    broken: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class HeldOutAnswer:
    """A held-out answer of the prompted model, and the rules that the arm's own first answer to its question breaks."""

    kl: float  # mean per token, in nats
    tokens: int
    question_id: int
    broken: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Divergence:
    """Mean KL divergence from the prompted model, in nats per token, with its 95 % interval.

    `mean_free_tokens` counts only the tokens that no rule dictates. The worst tokens and answers, worst first, are
    kept for arms with an adapter.
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
    ttft_ms_p50: float | None  # None: not measured, which is 0 in old evaluations
    tokens_per_second_p50: float | None
    cut_off: int | None = None  # answers that ended at the token limit; None in old evaluations


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One evaluation of one run. `arms` holds the measured arms by name."""

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
    evaluate_s: float  # of the whole job, including the time before it was resumed
    peak_rss_mb: float
    created_at: str = ""
    split: Split = "test"
    ratio: Interval | None = None  # distilled / reference of the all-rules rate
    comparisons: tuple[Comparison, ...] = ()
    more_questions: int | None = None  # needed to decide; 0: decided; None: no number would, or not computed
    answers_key: str = ""  # under which the store keeps the answers; empty in old evaluations
    extra_keys: tuple[tuple[ArmName, str], ...] = ()  # the same for each extra arm that has its own key
    max_answer_tokens: int | None = None  # None in old evaluations
    limit: int | None = None  # maximum number of questions; None: all
    seed: int = 0
    reused: int = 0  # answers that this job did not have to generate, e.g. from an earlier evaluation
    regressions: Regressions | None = None  # None: not requested
    judged: Judged | None = None  # None: no rule is a rubric, or there is no judge
    preference: Preference | None = None  # None: not requested
    decided: int | None = None  # questions where each arm has an answer with a verdict on every rule; None: all
    removed: tuple[int, ...] = ()  # questions that were deleted while it ran and are not counted here
    asked: tuple[int, ...] = ()  # ids of the questions that are counted here; empty in old evaluations
    rules_sha256: str = ""  # of the project's rules at that time; empty in old evaluations

    @property
    def judge(self) -> str:
        """The judge whose verdicts belong to the answers, or an empty string."""
        return "" if self.judged is None else self.judged.judge

    @property
    def decided_questions(self) -> int:
        """How many questions the recovered fraction, and thus the verdict, is based on."""
        return self.questions if self.decided is None else self.decided

    def left_out(self, score: ArmScore) -> int:
        """How many of an arm's answers are missing from its all-rules rate because some rule has no verdict.

        Always 0 for old evaluations, which did not leave such answers out.
        """
        return max(0, self.questions * self.samples - score.all_rules.total)

    def arm(self, name: ArmName) -> ArmScore | None:
        return dict(self.arms).get(name)

    def comparison(self, arm: ArmName, against: ArmName) -> Comparison | None:
        """How these two arms differ, or None if they were not compared."""
        return next((each for each in self.comparisons if (each.arm, each.against) == (arm, against)), None)
