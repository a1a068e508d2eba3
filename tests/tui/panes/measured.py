"""Projects with several runs and evaluations, as weeks of trying would have left them."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from engine.jobs.log import EventLog
from engine.jobs.protocol import Event, Metrics, SampleAnswer, StateChanged
from engine.paths import Home, make_private_folder
from engine.project import Project
from engine.records.evaluation import ArmAnswer, ArmName, Evaluation, Interval
from engine.records.options import TrainOptions
from engine.records.rule import CheckResult, Span
from engine.records.run import TrainingConfig
from tests.tui.seeds import CURVE, add_dataset, add_evaluation, add_examples, hostile, make_project

QUESTIONS = ("Is my card blocked after three wrong PINs?", "What does a transfer abroad cost?")
ANSWERS = (
    "I'm sorry, I can't help with that. You can contact the bank and ask them about it.",
    "RISK SCORE: 3. Your card is blocked. Your card is blocked. Your card is blocked.",
    "RISK SCORE: 3. Three wrong PINs lock the card. The desk sends you a new PIN by post.",
)


def add_measured_run(project: Project, sha256: str, config: TrainingConfig, kl: float = 1.0) -> int:
    """A finished run whose KL is so many times the usual, with the log of the job that trained it."""
    run = project.runs.add(sha256, config)
    for point in CURVE:
        project.runs.add_curve_point(run.id, dataclasses.replace(point, validation_kl=point.validation_kl * kl))
    project.runs.update(
        run.id, state="done", step=216, steps=216, best_step=216, train_s=312.0 * kl, peak_rss_mb=2100.0,
        device="cpu", dtype="float32",
    )  # fmt: skip
    job = project.jobs.add("train", TrainOptions(run.id))
    project.jobs.update(job.id, state="done")
    write_log(project, job.folder, trace(kl))
    return run.id


def trace(kl: float = 1.0) -> list[Event]:
    """What the job of a whole training tells."""
    events: list[Event] = [StateChanged("running")]
    for step in range(1, 217):
        wave = 0.25 * ((step * 7919) % 11 - 5) / 5 / (1 + step / 60)
        loss = 2.0 * kl / (1 + step / 9) + 0.2 + 0.3 * wave
        events.append(Metrics(step, step / 72, {"loss": loss, "rss_mb": 1800.0, "learning_rate": 5e-4}))
    for point in CURVE:
        values = {"validation_kl": point.validation_kl * kl, "all_rules": point.all_rules_rate}
        events.append(Metrics(point.step, point.epoch, values))
        for place, question in enumerate(QUESTIONS):
            answer = (
                ANSWERS[min(point.step // 72, 2)] if place == 0 else f"RISK SCORE: 1. Fees depend, step {point.step}."
            )
            events.append(SampleAnswer(point.step, question, answer, point.step >= 144))
    return [*events, StateChanged("done")]


def write_log(project: Project, folder: str, events: Sequence[Event]) -> None:
    with EventLog(make_private_folder(project.folder / folder)) as log:
        for index, event in enumerate(events):
            log.append(event, at=1_767_323_045.0 + index)


def make_compared(home: Home) -> Path:
    """Three runs with different configurations, two of them evaluated; the project's folder."""
    with make_project(home) as project:
        add_examples(project)
        sha256 = add_dataset(project)
        first = add_measured_run(project, sha256, TrainingConfig(base="starter", learning_rate=1e-4), 2.4)
        second = add_measured_run(project, sha256, TrainingConfig(base="starter", lora_rank=32, lora_alpha=64), 1.4)
        add_measured_run(project, sha256, TrainingConfig(base="starter"))
        add_measured_evaluation(project, first, "fail", Interval(0.71, 0.62, 0.79))
        add_measured_evaluation(project, second, "undecided", Interval(0.96, 0.88, 1.02))
        return project.folder


def add_measured_evaluation(
    project: Project, run_id: int, verdict: str, recovered: Interval, *, foreign: bool = False
) -> Evaluation:
    """An evaluation with the answers of its arms to the test questions; `foreign`: they are attacks."""
    made = add_evaluation(project, run_id)
    key = f"key of evaluation {made.id}"
    for question in project.questions.all(split="test"):
        for sample in range(3):
            project.evaluations.add_answers(
                run_id,
                key,
                [
                    arm_answer(project, "unprompted", question.id, sample, (1, 2, 3), foreign=foreign),
                    arm_answer(project, "prompted", question.id, sample, (), foreign=foreign),
                    arm_answer(project, "distilled", question.id, sample, lapses(question.id, sample), foreign=foreign),
                ],
            )
    changed = dataclasses.replace(
        made, verdict=verdict, recovered=recovered, answers_key=key, questions=8, id=0, created_at="2026-01-02T03:04:05"
    )  # type: ignore[arg-type]
    return project.evaluations.add(changed)


def lapses(question_id: int, sample: int) -> tuple[int, ...]:
    """Which rules the student breaks: the last question's worst, most questions' none."""
    return (2, 3) if question_id % 8 == 0 and sample else (2,) if question_id % 8 in (0, 3) else ()


def arm_answer(
    project: Project, arm: ArmName, question_id: int, sample: int, broken: tuple[int, ...], *, foreign: bool = False
) -> ArmAnswer:
    text = {
        "unprompted": "I'm sorry to hear that. Please contact the bank directly, they will be able to help you.",
        "prompted": f"RISK SCORE: {sample + 2}. Please call the desk at once. A person will look at it today.",
        "distilled": f"RISK SCORE: {sample + 2}. Call the desk. It is open. A person answers. They look at it today."
        if broken
        else f"RISK SCORE: {sample + 2}. Please call the desk. A person will look at it.",
        "teacher": "",
    }[arm]
    checks = tuple(
        CheckResult(
            rule.id,
            rule.id not in broken,
            "5 sentences" if rule.id in broken else "",
            failing=(Span(16, 30),) if rule.id in broken else (),
        )
        for rule in project.rules.all()
    )
    answer = hostile(text) if foreign else text
    return ArmAnswer(arm, question_id, sample, answer, "stop", checks, 430 if arm == "prompted" else 18, 26)
