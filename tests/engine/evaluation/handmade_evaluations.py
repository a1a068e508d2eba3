"""Builds answers, scores and evaluations by hand, for tests that render them or compute with them."""

from dataclasses import replace

from engine.evaluation.scores import ArmMeasures, score_arm
from engine.evaluation.verdict import verdict
from engine.records.evaluation import ArmAnswer, ArmName, ArmScore, Divergence, Evaluation, Interval
from engine.records.rule import Check, CheckResult, Rule

RULES = (
    Rule(1, "Start with the risk score", Check("pattern", pattern="^Risk: [1-5]")),
    Rule(2, "Name the right department, in one word, even where the customer asks for another", Check("label")),
)


def arm_answer(arm: ArmName, question_id: int, sample: int, *passed: bool, tokens: int = 40) -> ArmAnswer:
    checks = tuple(CheckResult(rule.id, result) for rule, result in zip(RULES, passed, strict=True))
    return ArmAnswer(arm, question_id, sample, "text", "stop", checks, 418 if arm == "prompted" else 18, tokens)


def unjudged(answer: ArmAnswer) -> ArmAnswer:
    """Return the answer without the check of the last rule, as if a judge gave no verdict."""
    return replace(answer, checks=answer.checks[:-1])


def arm_score(arm: ArmName, passed: int, kl: float | None, questions: int = 40) -> ArmScore:
    answers = [arm_answer(arm, index, 0, index < passed, index < passed + 1) for index in range(questions)]
    divergence = None if kl is None else Divergence(kl, kl * 0.9, kl * 1.1, kl * 1.2)
    return score_arm(RULES, answers, ArmMeasures(divergence, 1_234.5 if arm == "prompted" else 61.2, 19.84))


RECOVERED = Interval(0.973, 0.9123, 1.04)


def evaluation(recovered: Interval | None = RECOVERED, *, teacher: bool = False) -> Evaluation:
    arms: list[tuple[ArmName, ArmScore]] = [
        ("unprompted", arm_score("unprompted", 0, 1.91)),
        ("prompted", arm_score("prompted", 36, None)),
        ("distilled", arm_score("distilled", 35, 0.095)),
    ]
    if teacher:
        arms.append(("teacher", arm_score("teacher", 39, None)))
    return Evaluation(
        id=0,
        run_id=1,
        dataset_sha256="d" * 64,
        prompt_sha256="p" * 64,
        temperature=0.7,
        samples=1,
        reference="teacher" if teacher else "prompted",
        arms=tuple(arms),
        recovered=recovered,
        recovered_note="" if recovered else "The prompt does not help, so there is nothing to recover.",
        ceiling=None,
        verdict=verdict(recovered, 40),
        questions=40,
        evaluate_s=60.0,
        peak_rss_mb=900.0,
    )
