"""A complete project, from its folder name to its model cards, in which every foreign text is an attack."""

import dataclasses
import re
from pathlib import Path

from engine.jobs.protocol import (
    AnswerDelta,
    AnswerEnded,
    AnswerStarted,
    Event,
    Note,
    Progress,
    SampleAnswer,
    StateChanged,
    WorstTokens,
)
from engine.paths import Home
from engine.project import Project
from engine.records.cost import CostInputs
from engine.records.dataset import Dataset
from engine.records.evaluation import Evaluation, Interval
from engine.records.example import Decision, Example, ExampleKey
from engine.records.options import GenerateOptions, ProjectSettings, TeacherSpec
from engine.records.prompt import Message, Prompt
from engine.records.question import Question
from engine.records.rule import Check, CheckResult
from engine.records.run import TrainingConfig, WorstToken
from engine.records.vote import Vote
from engine.store.datasets import dataset_sha256
from tests.hostile import hostile
from tests.tui.panes.measured_projects import add_measured_evaluation, add_measured_run, trace
from tests.tui.seeds import AT, PROMPT, RULES, add_dataset, add_job, make_project, write_log

_CHECKS = (
    Check("pattern", pattern=re.escape(hostile("pattern"))),
    Check("starts_with", text=hostile("start")),
    Check("forbidden", texts=(hostile("never"), hostile("nor"))),
    Check("label", labels=(hostile("card"), hostile("loan"))),
)


def make_hostile(home: Home, teacher_url: str) -> Path:
    """Create the project and return its folder; `teacher_url` is the address of an equally hostile teacher."""
    with make_project(home, "evil") as project:
        project.settings.write(
            ProjectSettings(student_base=hostile("base"), teacher=TeacherSpec("endpoint", hostile("gpt"), teacher_url))
        )
        project.settings.write_cost(CostInputs(model=hostile("model"), provider=hostile("provider")), None)
        older, prompt = (
            Prompt(tuple(Message(m.role, f"{hostile(m.content)}\n- `{number}`") for m in PROMPT.messages))
            for number in (1, 2)
        )
        project.prompts.set(older, hostile("note"))
        project.prompts.set(prompt, hostile("note"))
        project.rules.put(
            [
                dataclasses.replace(rule, id=number, text=hostile(rule.text), check=check)
                for number, (rule, check) in enumerate(zip(RULES, _CHECKS, strict=True), start=1)
            ]
        )
        _add_questions(project)
        _add_examples(project, prompt.sha256)
        sha256 = add_dataset(project)
        frozen = project.datasets.get(sha256)
        again = dataset_sha256(prompt.sha256, hostile("base"), frozen.rows)
        project.datasets.add(Dataset(again, prompt.sha256, hostile("base"), frozen.rows, AT))
        _add_runs(project, again)
        _add_job(project)
        conversation = (Message("user", hostile("why")),)
        sides = (hostile("left"), hostile("right"), hostile("a"), hostile("b"))
        project.votes.add(Vote(conversation, *sides, "tie", False))
        folder = project.folder
    return folder.rename(home.projects / hostile("name").replace("/", "|"))


def _add_questions(project: Project) -> None:
    plain = Question((), topic=hostile("topic"), source=hostile("source"), label=hostile("label"))
    for split in ("train", "validation", "test"):
        messages = tuple(Message(role, hostile(f"{split} {role}")) for role in ("user", "assistant", "user"))
        project.questions.add([dataclasses.replace(plain, messages=messages, split=split)])
    for place in "ab":
        twin = (Message("user", hostile(f"What is the fee for a transfer to {place}?")),)
        project.questions.add([dataclasses.replace(plain, messages=twin)])


def _add_examples(project: Project, prompt_sha256: str) -> None:
    """Add accepted, rejected and undecided answers: one edited, one flagged, one with two attempts."""
    questions = [*project.questions.all()[-5:], *project.questions.all()[:20]]
    checks = (CheckResult(1, False, hostile("found")), CheckResult(2, True))
    project.examples.add(
        [
            Example(ExampleKey(prompt_sha256, question.id, hostile("gpt"), attempt),
                    hostile(f"answer {question.id}\nof it"), "stop", "endpoint", checks=checks)
            for question in questions
            for attempt in ((0, 1) if question is questions[0] else (0,))
        ]
    )  # fmt: skip
    ids = [row.example.id for row in project.examples.all()]
    decided = [Decision(id, "accept" if id % 3 else "reject", "rules", reason=hostile("why")) for id in ids[3:]]
    edited = Decision(ids[0], "edit", "person", edited_answer=hostile("answer of mine"), reason=hostile("why"))
    project.decisions.decide([edited, *decided, Decision(ids[1], "flag", "person", reason=hostile("flag"))])


def _add_runs(project: Project, sha256: str) -> None:
    first = add_measured_run(project, sha256, TrainingConfig(hostile("base"), learning_rate=1e-4), 1.4)
    run_id = add_measured_run(project, sha256, TrainingConfig(hostile("base")))
    token = WorstToken(1.0, 1, hostile("before"), hostile("token"), hostile("teacher"), hostile("student"))
    events: list[Event] = [SampleAnswer(216, hostile("asked"), hostile("said"), False), WorstTokens(217, (token,))]
    write_log(project, project.jobs.all()[-1], [*trace()[:-1], *events, StateChanged("done", hostile("done"))])
    project.runs.update(run_id, reason=hostile("reason"), device=hostile("cpu"), dtype=hostile("float32"))
    for number in (first, run_id):
        made = add_measured_evaluation(project, number, "fail", Interval(0.5, 0.4, 0.6), foreign=True)
        project.evaluations.add(_attacked(made))
    adapter = project.folder / project.runs.get(run_id).folder / "adapter"
    adapter.mkdir(parents=True, exist_ok=True)
    (adapter / "adapter_model.safetensors").write_bytes(b"")
    (adapter / "adapter_config.json").write_text(f'{{"base_model_name_or_path": "{hostile("base").encode().hex()}"}}')
    place = f"releases/{hostile('adapter').replace('/', '|')}"
    (project.folder / place).mkdir(parents=True)
    card = [f"# {hostile('card')}\n", *[hostile("line")] * 60, hostile("end")]
    (project.folder / place / "README.md").write_text("\n".join(card))
    (project.folder / place / "SHA256SUMS").write_text(f"{'ab' * 32}  {hostile('file').replace('/', '|')}\n")
    project.releases.add("adapter", run_id, place, hostile("sum"))


def _attacked(made: Evaluation) -> Evaluation:
    arms = tuple(
        (name, dataclasses.replace(score, rules=tuple(
            dataclasses.replace(rule, text=hostile(rule.text), kind=hostile(rule.kind)) for rule in score.rules
        )))
        for name, score in made.arms
    )  # fmt: skip
    extra = (f"run:{hostile('arm')}", arms[-1][1])
    return dataclasses.replace(made, id=0, arms=(*arms, extra), recovered_note=hostile("note"))


def _add_job(project: Project) -> None:
    """Add a failed generation whose log has every text that a worker or a server can write."""
    events: list[Event] = [
        StateChanged("running", hostile("state")), Note(hostile("note")), Progress(3, 9, hostile("progress"), 3.0),
        AnswerStarted("1.0.1", hostile("arm"), hostile("asked")), AnswerDelta("1.0.1", hostile("half\nan answer")),
        AnswerStarted("2.0.1", hostile("arm"), hostile("asked")),
        AnswerEnded("2.0.1", hostile("whole"), False, hostile("lapse")),
        AnswerEnded("3.0.1", "", False, hostile("server's words"), hostile("fault")),
        AnswerEnded("4.0.1", "", False, hostile("server's words"), hostile("fault"), again=True),
        StateChanged("failed", hostile("failed")),
    ]  # fmt: skip
    add_job(project, GenerateOptions(teacher=TeacherSpec("endpoint", hostile("gpt"), "https://x.example/v1")), "failed",
            events, hostile("The server said"))  # fmt: skip
