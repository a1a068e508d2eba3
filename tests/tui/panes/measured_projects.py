"""Projects with several runs and evaluations, each with its curves, answers and tokens."""

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

from engine.jobs.protocol import (
    AnswerDelta,
    AnswerEnded,
    AnswerStarted,
    Event,
    Metrics,
    Progress,
    SampleAnswer,
    StageStarted,
    StateChanged,
    WorstTokens,
)
from engine.paths import Home
from engine.project import Project
from engine.records.comparison import Comparison, Paired, RulePaired
from engine.records.evaluation import (
    ArmAnswer,
    ArmName,
    Divergence,
    Evaluation,
    FinalVerdict,
    HeldOutAnswer,
    HeldOutToken,
    Interval,
)
from engine.records.options import EvaluateOptions, TrainOptions
from engine.records.question import Question
from engine.records.rule import CheckResult, Span
from engine.records.run import Estimated, TrainingConfig, WorstToken
from tests.hostile import hostile
from tests.tui.seeds import (
    AT,
    CURVE,
    add_dataset,
    add_examples,
    add_job,
    arm,
    make_project,
    metrics_of,
    passed_evaluation,
    write_log,
)

QUESTIONS = ("Is my card blocked after three wrong PINs?", "What does a transfer abroad cost?")
ANSWERS = (
    "I'm sorry, I can't help with that. You can contact the bank and ask them about it.",
    "RISK SCORE: 3. Your card is blocked. Your card is blocked. Your card is blocked.",
    "RISK SCORE: 3. Three wrong PINs lock the card. The desk sends you a new PIN by post.",
)


def add_measured_run(project: Project, sha256: str, config: TrainingConfig, kl: float = 1.0) -> int:
    """A finished run whose KL is `kl` times that of the seeds, with the log of the job that trained it."""
    run = project.runs.add(sha256, config)
    for point in CURVE:
        project.runs.add_curve_point(run.id, dataclasses.replace(point, validation_kl=point.validation_kl * kl))
    project.runs.update(
        run.id, state="done", step=216, steps=216, best_step=216, train_s=312.0 * kl, peak_rss_mb=2100.0,
        device="cpu", dtype="float32", estimate=Estimated(300.0, 1900.0, 64.0), disk_mb=61.0,
    )  # fmt: skip
    job = project.jobs.add(TrainOptions(run.id))
    project.jobs.update(job.id, state="done")
    project.runs.add_job(run.id, job.id)
    write_log(project, job, trace(kl))
    return run.id


def trace(kl: float = 1.0) -> list[Event]:
    """The events of a whole training."""
    events: list[Event] = [StateChanged("running")]
    for step in range(1, 217):
        wave = 0.25 * ((step * 7919) % 11 - 5) / 5 / (1 + step / 60)
        loss = 2.0 * kl / (1 + step / 9) + 0.2 + 0.3 * wave
        events.append(Metrics(step, step / 72, {"loss": loss, "rss_mb": 1800.0, "learning_rate": 5e-4}))
    for point in CURVE:
        events.append(metrics_of(point, kl))
        for place, question in enumerate(QUESTIONS):
            answer = (
                ANSWERS[min(point.step // 72, 2)] if place == 0 else f"RISK SCORE: 1. Fees depend, step {point.step}."
            )
            events.append(SampleAnswer(point.step, question, answer, point.step >= 144))
        events.append(WorstTokens(point.step, tuple(worst(kl / (1 + point.step / 36)))))
    return [*events, StateChanged("done")]


def worst(scale: float) -> Iterator[WorstToken]:
    """Eight tokens whose KL is `scale` times that of the untrained student."""
    differing = (
        ("", "RISK", "RISK", "I"),
        ("RISK SCORE: 3. Three wrong PINs lock the card. The desk sends you a new PIN by", " post", " post", " e"),
        ("RISK SCORE:", " 3", " 3", " 2"),
        ("RISK SCORE: 3. Three wrong PINs lock the card.", " The", " The", ""),
        ("RISK SCORE: 3. Three wrong PINs lock", " the", " your", " your"),
        ("RISK SCORE: 1. A transfer abroad costs 12 EUR.\n", "\n", "", " You"),
        ("RISK SCORE: 1. A transfer abroad costs 12 EUR. 送金", "手数料", "手数料", " fees"),
        ("RISK SCORE: 1. A transfer abroad costs 12 EUR.", "", "", " Please"),
    )
    for place, token in enumerate(differing):
        yield WorstToken(9.3 * scale / (1 + place / 3), 7 * place + 4, *token)


def make_compared(home: Home, *, current: bool = False) -> Path:
    """Three runs with different configurations, two of them evaluated; the project's folder.

    `current`: the last evaluation is of the newest run; else that run has none yet.
    """
    with make_project(home) as project:
        add_examples(project)
        sha256 = add_dataset(project)
        first = add_measured_run(project, sha256, TrainingConfig(base="starter", learning_rate=1e-4), 2.4)
        second = add_measured_run(project, sha256, TrainingConfig(base="starter", lora_rank=32, lora_alpha=64), 1.4)
        third = add_measured_run(project, sha256, TrainingConfig(base="starter"))
        add_measured_evaluation(project, first, "fail", Interval(0.71, 0.62, 0.79), kept=235)
        add_measured_evaluation(project, third if current else second, "pass", Interval(0.98, 0.94, 1.02))
        return project.folder


def add_measured_evaluation(
    project: Project, run_id: int, verdict: FinalVerdict, recovered: Interval, kept: int = 340, *, foreign: bool = False
) -> Evaluation:
    """An evaluation with the answers of its arms to the test questions; if `foreign`, they are hostile.

    `kept`: how many of the student's 360 answers pass every rule.
    """
    questions = project.questions.all(split="test")
    key = f"answers of run {run_id}"
    for question in questions:
        for sample in range(3):
            broken: tuple[tuple[ArmName, tuple[int, ...]], ...] = (
                ("unprompted", (1, 2, 3)),
                ("prompted", ()),
                ("distilled", lapses(question.id, sample)),
            )
            answers = [arm_answer(project, name, question.id, sample, rules, foreign=foreign) for name, rules in broken]
            project.evaluations.add_answers(run_id, key, answers)
    passed = passed_evaluation(project, run_id)
    student = arm((358, kept, 350, 360), kept, held_out(questions, foreign=foreign), 18.0)
    return project.evaluations.add(
        dataclasses.replace(
            passed,
            arms=(*passed.arms[:2], ("distilled", student)),
            recovered=recovered,
            verdict=verdict,
            questions=120 if verdict != "undecided" else len(questions),
            created_at=AT,
            comparisons=(_compared(kept),),
            answers_key=key,
        )
    )


def held_out(questions: Sequence[Question], *, foreign: bool) -> Divergence:
    """The student's divergence with its eight worst tokens; two of them are fixed by rules or fail some."""
    tokens = []
    for place, token in enumerate(worst(0.8)):
        texts = (token.before, token.token, token.teacher, token.student)
        before, own, prompted, student = map(hostile, texts) if foreign else texts
        rules = {0: ((1,), (), (1, 2)), 3: ((), (2,), ())}.get(place, ((), (), ()))
        tokens.append(
            HeldOutToken(token.kl, questions[place % len(questions)].id, before, own, prompted, student, *rules)
        )
    answers = tuple(
        HeldOutAnswer(0.9 / (n + 1), 26, each.id, (2,) if n == 0 else ()) for n, each in enumerate(questions)
    )
    return Divergence(0.11, 0.1, 0.12, 0.14, tuple(tokens), answers[:8])


def _compared(kept: int) -> Comparison:
    """The student compared with the prompted model: the second rule is worse if few answers pass it."""
    same = Paired(Interval(0.0, -0.02, 0.02), 3, 3, 1.0, 1.0, "kept", 0)
    worse = Paired(Interval(-0.29, -0.36, -0.22), 2, 41, 1e-9, 4e-9, "worse", 0)
    undecided = Paired(Interval(-0.06, -0.13, 0.01), 2, 8, 0.11, 0.33, "undecided", 94)
    rules = (same, same if kept > 300 else worse, undecided, same)
    paired = tuple(RulePaired(number, each) for number, each in enumerate(rules, start=1))
    return Comparison("distilled", "prompted", same if kept > 300 else worse, paired)


def lapses(question_id: int, sample: int) -> tuple[int, ...]:
    """The rules that an answer of the student fails: most on the last question, none on most questions."""
    return (2, 3) if question_id % 8 == 0 and sample else (2,) if question_id % 8 in (0, 3) else ()


def arm_answer(
    project: Project, name: ArmName, question_id: int, sample: int, broken: Sequence[int], *, foreign: bool = False
) -> ArmAnswer:
    text = {
        "unprompted": "I'm sorry to hear that. Please contact the bank directly, they will be able to help you.",
        "prompted": f"RISK SCORE: {sample + 2}. Please call the desk at once. A person will look at it today.",
        "distilled": f"RISK SCORE: {sample + 2}. Call the desk. It is open. A person answers. They look at it today."
        if broken
        else f"RISK SCORE: {sample + 2}. Please call the desk. A person will look at it.",
        "teacher": "",
    }[name]
    beyond = text.find("A person answers.")
    spans = (Span(beyond, len(text)),) if beyond >= 0 else ()
    notes = {1: "no match", 2: "5 of at most 3 sentences", 3: "2 of 32 words too many"}
    checks = tuple(
        CheckResult(rule.id, False, notes[rule.id], failing=spans if rule.id == 2 else ())
        if rule.id in broken
        else CheckResult(rule.id, True)
        for rule in project.rules.all()
    )
    answer = hostile(text) if foreign else text
    return ArmAnswer(name, question_id, sample, answer, "stop", checks, 430 if name == "prompted" else 18, 26)


def evaluating_events() -> list[Event]:
    """A running evaluation: two arms are finished, and the student is answering."""
    events: list[Event] = [
        StateChanged("running"),
        StageStarted("evaluation"),
        Progress(26, 44, "distilled answers", 38.0),
    ]
    for name, count in (("unprompted", 8), ("prompted", 8), ("distilled", 6)):
        for number in range(1, count + 1):
            stream = f"{name}/{number}/0"
            answer = f"RISK SCORE: {number}. Please call the desk at once. A person will look at it today."
            events.append(AnswerStarted(stream, name, f"Question {number} about fraud, what should I do now?"))
            if name == "distilled" and number > 4:
                events.append(AnswerDelta(stream, answer[: 20 + 9 * number]))
            else:
                passed = name == "distilled" or (name == "prompted" and number != 5)
                text = answer if name != "unprompted" else "I'm sorry to hear that. Please contact the bank."
                events.append(AnswerEnded(stream, text, passed))
    return events


def make_evaluating(home: Home) -> Path:
    """A project whose first evaluation is running; its folder."""
    with make_project(home) as project:
        add_examples(project)
        run_id = add_measured_run(project, add_dataset(project), TrainingConfig(base="starter"))
        add_job(project, EvaluateOptions(run_id), "running", evaluating_events())
        return project.folder
