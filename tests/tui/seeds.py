"""Realistic projects at every stage, made through the store's public interface."""

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path

from engine.jobs.control_file import write_command
from engine.jobs.identity import own_identity
from engine.jobs.log import EventLog
from engine.jobs.protocol import (
    TRAINING,
    AnswerDelta,
    AnswerEnded,
    AnswerStarted,
    Event,
    Metrics,
    Progress,
    SampleAnswer,
    StageStarted,
    StateChanged,
)
from engine.paths import Home, make_private_folder
from engine.project import Project
from engine.records.dataset import Dataset, DatasetRow
from engine.records.evaluation import ArmName, ArmScore, Divergence, Evaluation, Interval, Rate, RuleRate
from engine.records.example import Decision, Example, ExampleKey, Usage
from engine.records.job import Job, JobState
from engine.records.options import DemoOptions, GenerateOptions, JobOptions
from engine.records.prompt import Message, Prompt
from engine.records.question import Question
from engine.records.rule import Check, CheckResult, Rule
from engine.records.run import CurvePoint, TrainingConfig
from engine.store.datasets import dataset_sha256
from tests.hostile import hostile

AT = "2026-01-02T03:04:05+00:00"

PROMPT = Prompt(
    (
        Message("system", "You answer for Meridian, a bank. Begin with a risk score, then two short sentences."),
        Message("user", "Can I cancel a payment that is pending?"),
        Message("assistant", "RISK SCORE: 2. The shop has to release it. That takes seven days at most."),
        Message("user", "Why was my transfer sent back?"),
        Message("assistant", "RISK SCORE: 3. The number of the account was wrong. Send it again with the right one."),
    )
)
RULES = (
    Rule(0, "Starts with a risk score", Check("pattern", pattern=r"^RISK SCORE: [1-9]\.")),
    Rule(0, "Two short sentences after it", Check("length", unit="sentences", max=3)),
    Rule(0, "At most 30 words", Check("length", unit="words", max=30)),
    Rule(0, "Never says sorry", Check("forbidden", texts=("sorry",))),
)
TOPICS = ("cards", "transfers", "loans", "accounts", "fees", "fraud")
FIRST_EVENT_AT = 1_767_323_045.0  # when a seeded job logged its first event, in seconds since the epoch


def make_project(home: Home, name: str = "meridian-desk") -> Project:
    """Create a project with a prompt, rules and questions, but no answers."""
    project = Project.create(home.projects / name, home=home)
    project.prompts.set(PROMPT, "first")
    project.rules.replace_all(RULES)
    project.questions.add(
        Question(
            (Message("user", f"Question {number} about {topic}, what should I do now?"),),
            topic=topic,
            source="seed",
            split="test" if topic == "fraud" else "validation" if topic == "fees" else "train",
        )
        for topic in TOPICS
        for number in range(1, 9)
    )
    return project


def add_examples(project: Project, count: int = 40, *, decided: bool = True) -> None:
    """Add answers of the teacher; every fifth fails rule 3, and with `decided` the rules accept or reject each."""
    examples = []
    for index, question in enumerate(project.questions.all()[:count]):
        passed = index % 5 != 4
        checks = tuple(
            CheckResult(rule.id, passed or rule.id != 3, "" if passed or rule.id != 3 else "2 of 32 words too many")
            for rule in project.rules.all()
        )
        examples.append(
            Example(
                key=ExampleKey(PROMPT.sha256, question.id, "starter", 0),
                answer=f"RISK SCORE: {index % 9 + 1}. Please call the desk. A person will see your {question.topic}.",
                finish_reason="stop",
                teacher_kind="local",
                token_ids=(5, 6, 7, 2),
                usage=Usage(prompt_tokens=412, completion_tokens=24),
                checks=checks,
            )
        )
    project.examples.add(examples)
    if not decided:
        return
    project.decisions.decide(
        [
            Decision(row.example.id, "accept" if all(c.passed for c in row.example.checks) else "reject", "rules")
            for row in project.examples.all()
        ]
    )


def add_dataset(project: Project) -> str:
    """Freeze the accepted examples into a dataset; return its hash."""
    rows = tuple(
        DatasetRow(
            example_id=row.example.id,
            question_id=row.example.key.question_id,
            split=project.questions.get(row.example.key.question_id).split or "train",
            question_ids=(1, 10, 11, 12),
            completion_ids=(5, 6, 7, 2),
            edited_from=4,
            fixed=(True, False, False, False),
        )
        for row in project.examples.all()
        if row.accepted
    )
    sha256 = dataset_sha256(PROMPT.sha256, "starter", rows)
    project.datasets.add(Dataset(sha256, PROMPT.sha256, "starter", rows, AT))
    return sha256


CURVE = tuple(
    CurvePoint(
        step=step,
        epoch=step / 72,
        train_loss=loss,
        validation_kl=kl,
        rule_rates=((1, rate), (2, min(1.0, rate + 0.05)), (3, rate), (4, 1.0)),
        all_rules_rate=rate,
        learning_rate=5e-4,
        tokens_per_second=180.0,
        best=step == 216,
    )
    for step, loss, kl, rate in (
        (0, 2.4, 1.92, 0.0),
        (36, 0.91, 0.61, 0.44),
        (72, 0.52, 0.33, 0.69),
        (108, 0.37, 0.21, 0.81),
        (144, 0.30, 0.15, 0.88),
        (180, 0.27, 0.13, 0.94),
        (216, 0.26, 0.12, 0.94),
    )
)


def add_run(project: Project, dataset_sha256: str, *, done: bool) -> int:
    """Add a run with its curve, finished or halfway; return its id."""
    run = project.runs.add(dataset_sha256, TrainingConfig(base="starter"))
    for point in CURVE if done else CURVE[:3]:
        project.runs.add_curve_point(run.id, point)
    project.runs.update(
        run.id,
        state="done" if done else "running",
        step=216 if done else 88,
        steps=216,
        best_step=216 if done else 72,
        train_s=312.0,
        device="cpu",
        dtype="float32",
    )
    return run.id


def rate(passed: int, total: int = 360) -> Rate:
    share = passed / total
    return Rate(passed, total, share, max(share - 0.02, 0.0), min(share + 0.02, 1.0))


def arm(passed: tuple[int, int, int, int], together: int, kl: Divergence | None, prompt_tokens: float) -> ArmScore:
    return ArmScore(
        rules=tuple(
            RuleRate(number, rule.text, rule.check.kind, rate(count))
            for number, (rule, count) in enumerate(zip(RULES, passed, strict=True), start=1)
        ),
        all_rules=rate(together),
        kl_to_prompted=kl,
        prompt_tokens_mean=prompt_tokens,
        completion_tokens_mean=26.0,
        ttft_ms_p50=prompt_tokens * 2.2,
        tokens_per_second_p50=31.0,
    )


def add_evaluation(project: Project, run_id: int) -> Evaluation:
    """Add an evaluation that passed."""
    return project.evaluations.add(passed_evaluation(project, run_id))


def passed_evaluation(project: Project, run_id: int) -> Evaluation:
    """Return an evaluation that passed, not stored."""
    arms: tuple[tuple[ArmName, ArmScore], ...] = (
        ("unprompted", arm((0, 120, 90, 300), 0, Divergence(2.31, 2.2, 2.42, 1.9), 18.0)),
        ("prompted", arm((352, 340, 348, 360), 331, None, 430.0)),
        ("distilled", arm((358, 345, 350, 360), 340, Divergence(0.11, 0.1, 0.12, 0.14), 18.0)),
    )
    return Evaluation(
        id=0,
        run_id=run_id,
        dataset_sha256=project.runs.get(run_id).dataset_sha256,
        prompt_sha256=PROMPT.sha256,
        temperature=0.7,
        samples=3,
        reference="prompted",
        arms=arms,
        recovered=Interval(1.03, 0.98, 1.08),
        recovered_note="",
        ceiling=rate(331),
        verdict="pass",
        questions=120,
        evaluate_s=181.0,
        peak_rss_mb=2100.0,
    )


def write_log(project: Project, job: Job, events: Iterable[Event]) -> None:
    """Append events, one a second, to the log of a job."""
    with EventLog(make_private_folder(project.folder / job.folder)) as log:
        for index, event in enumerate(events):
            log.append(event, at=FIRST_EVENT_AT + index)


def add_job(
    project: Project, options: JobOptions, state: JobState, events: Sequence[Event] = (), note: str = ""
) -> Job:
    """Add a job with its event log, as its worker, which is this process, would have left it."""
    job = project.jobs.add(options)
    write_log(project, job, events)
    # A running job needs a live process: this one.
    me = own_identity()
    project.jobs.update(job.id, state=state, note=note, pid=me.pid, pid_started_at=me.started_at, boot_id=me.boot_id)
    for event in events:
        if isinstance(event, StageStarted):
            project.jobs.update(job.id, stage=event.station)
    return project.jobs.get(job.id)


def answering_events() -> list[Event]:
    """Return the events of a generation halfway through: some answers complete, one failed, three being written."""
    events: list[Event] = [StateChanged("running"), StageStarted("examples"), Progress(57, 480, "answers", 134.0)]
    for index in range(14):
        topic = TOPICS[index % len(TOPICS)]
        stream = f"{index}/0"
        answer = f"RISK SCORE: {index % 9 + 1}. Please call the desk at once. A person will look at your {topic}."
        events.append(AnswerStarted(stream, "teacher", f"Question {index} about {topic}, what should I do now?"))
        if index < 11:
            events.append(AnswerEnded(stream, answer, index % 6 != 5, "" if index % 6 != 5 else "rule 3: too long"))
        else:
            events.append(AnswerDelta(stream, answer[: 22 + 9 * (index - 11)]))
    return events


def metrics_of(point: CurvePoint, kl: float = 1.0) -> Metrics:
    """Return what a training reports at this point of the curve, with `kl` times its KL."""
    assert point.all_rules_rate is not None
    return Metrics(
        point.step, point.epoch, {"validation_kl": point.validation_kl * kl, "all_rules": point.all_rules_rate}
    )


def training_events() -> list[Event]:
    """Return the events of a training halfway through."""
    events: list[Event] = [StateChanged("running"), StageStarted("run"), Progress(88, 216, TRAINING, 201.0)]
    events += [
        Metrics(step, step / 72, {"loss": 2.0 / (1 + step / 9) + 0.2, "learning_rate": 5e-4}) for step in range(1, 89)
    ]
    events += [metrics_of(point) for point in CURVE[:3]]
    question = "Is my card blocked after three wrong PINs?"
    for step, answer, passed in (
        (0, "I'm sorry, I can't help with that. You can contact the bank and ask them about it.", False),
        (36, "RISK SCORE: 3. Your card is blocked. Your card is blocked. Your card is blocked.", False),
        (72, "RISK SCORE: 3. Three wrong PINs lock the card. The desk sends you a new PIN by post.", True),
    ):
        events.append(SampleAnswer(step, question, answer, passed))
    return events


def make_stage(home: Home, stage: str) -> Path:
    """Create a project at the named stage of its life; return its folder."""
    with make_project(home) as project:
        if stage in ("generating", "failed"):
            add_examples(project, 20)
            state: JobState = "running" if stage == "generating" else "failed"
            note = "" if stage == "generating" else "The endpoint refused the key. Set OPENAI_API_KEY and resume."
            add_job(project, GenerateOptions(), state, answering_events(), note)
        elif stage in ("training", "ending"):
            job = add_job(project, DemoOptions(), "running", training_events())
            if stage == "ending":
                write_command(project.folder / job.folder, "stop")
            add_examples(project)
            project.runs.add_job(add_run(project, add_dataset(project), done=False), job.id)
        elif stage == "done":
            add_examples(project)
            run_id = add_run(project, add_dataset(project), done=True)
            add_evaluation(project, run_id)
            project.releases.add("adapter", run_id, "releases/adapter-1", "ab" * 32)
        elif stage == "hostile":
            add_hostile(project)
        return project.folder


def add_hostile(project: Project) -> None:
    """Make every foreign text of the project an attack."""
    project.prompts.set(
        Prompt(tuple(dataclasses.replace(m, content=hostile(m.content)) for m in PROMPT.messages)), hostile("note")
    )
    project.rules.replace_all([dataclasses.replace(rule, text=hostile(rule.text)) for rule in RULES])
    project.questions.add([Question((Message("user", hostile("question")),), topic=hostile("topic"), split="train")])
    stream = "1/0"
    events: list[Event] = [
        StateChanged("running", hostile("note")),
        StageStarted("examples"),
        AnswerStarted(stream, "teacher", hostile("question")),
        AnswerDelta(stream, hostile("half an answer")),
        AnswerStarted("2/0", "teacher", hostile("question")),
        AnswerEnded("2/0", hostile("an answer"), False, hostile("note")),
    ]
    add_job(project, GenerateOptions(), "running", events, hostile("note"))
