"""Loads for the app while it is measured: 64 simultaneous answers at 2,000 tokens per second, and a real training.

`python -m tests.benchmarks.loads FOLDER ARM …` writes the events of such a generation, or of an evaluation of these
arms, to a job folder until it is killed. Like a job, it combines them to ten events per second and stream.
"""

import itertools
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from engine.jobs.log import EVENTS_FILE, EventLog
from engine.jobs.protocol import AnswerDelta, AnswerEnded, AnswerStarted, Event, Progress, StageStarted, StateChanged
from engine.paths import Home
from engine.project import Project
from engine.records.example import Decision, Example, ExampleKey, Usage
from engine.records.options import EvaluateOptions, ProjectSettings, TeacherSpec
from engine.records.prompt import Message, Prompt
from engine.records.question import Question, Split
from engine.records.rule import CheckResult
from tests.tiny import make_tiny_base
from tests.tui.seeds import PROMPT, RULES, TOPICS, add_dataset, add_examples, add_job, add_run, make_project

STREAMS = 64
TOKENS_PER_SECOND = 2_000
FLUSHES_PER_SECOND = 10
_TEXT = "the desk will look at your card and send a letter within seven days if nothing else is known "
_ANSWER_TOKENS = 120
# Of the project that is trained: topics, their splits and how many questions each has.
_SPLITS: tuple[tuple[str, Split, int], ...] = (("a", "train", 60), ("b", "validation", 12), ("c", "test", 8))


def stream(folder: Path, arms: Sequence[str]) -> None:
    """Write the events of answers endlessly."""
    words = itertools.cycle(_TEXT.split())
    tokens_per_flush = TOKENS_PER_SECOND / FLUSHES_PER_SECOND / STREAMS
    with EventLog(folder) as log:
        names = [f"bench-{index}" for index in range(STREAMS)]
        length = dict.fromkeys(names, 0.0)
        arm_of = dict(zip(names, itertools.cycle(arms), strict=False))
        for name in names:
            log.append(AnswerStarted(name, arm_of[name], f"Question of {name}, what should I do now?"))
        for flush in itertools.count(1):
            started = time.perf_counter()
            for name in names:
                before, length[name] = length[name], length[name] + tokens_per_flush
                text = " ".join(next(words) for _ in range(int(length[name]) - int(before)))
                log.append(AnswerDelta(name, f"{text} "))
                if length[name] > _ANSWER_TOKENS:
                    log.append(AnswerEnded(name, "An answer as it was stored, of no great length.", flush % 3 > 0))
                    length[name] = 0.0
                    log.append(AnswerStarted(name, arm_of[name], f"Question {flush} of {name}, what should I do now?"))
            time.sleep(max(0.0, 1 / FLUSHES_PER_SECOND - (time.perf_counter() - started)))


@contextmanager
def streaming(folder: Path, *arms: str) -> Iterator[None]:
    """The load of a generation, or of an evaluation of `arms`, in a job's folder during the `with` block.

    The block starts with the first event, so that the start of the writer is not part of the load.
    """
    events = folder / EVENTS_FILE
    before = events.stat().st_size if events.exists() else 0
    writer = subprocess.Popen([sys.executable, "-m", "tests.benchmarks.loads", str(folder), *(arms or ("teacher",))])
    try:
        while not events.exists() or events.stat().st_size <= before:
            time.sleep(0.1)
        yield
    finally:
        writer.kill()
        writer.wait()


def make_training_project(home: Home) -> Path:
    """A project with a job that trains a small random model for minutes; its folder."""
    base = str(make_tiny_base(home.projects.parent / "base", hidden_size=256, layers=6))
    with Project.create(
        home.projects / "training", ProjectSettings(student_base=base, teacher=TeacherSpec(model=base)), home
    ) as project:
        project.prompts.set(Prompt((Message("system", "Answer in one word."),)))
        project.questions.add(
            Question((Message("user", f"question {index} of {topic}?"),), topic=topic, split=split)
            for topic, split, count in _SPLITS
            for index in range(count)
        )
        sha256 = project.prompts.require().sha256
        project.examples.add(
            [
                Example(ExampleKey(sha256, question.id, base, 0), f"Yes, {question.text}", "stop", "endpoint")
                for question in project.questions.all()
            ]
        )
        project.decisions.decide([Decision(row.example.id, "accept", "person") for row in project.examples.all()])
        folder = project.folder
    run_program(home, "curate", "freeze", "--project", "training")
    run_program(home, "train", "--preset", "none", "--epochs", "2000", "--detach", "--project", "training")
    return folder


def make_evaluating_project(home: Home) -> Path:
    """A project whose run is being evaluated; its folder. `streaming` writes the events."""
    with make_project(home, "evaluating") as project:
        add_examples(project)
        run_id = add_run(project, add_dataset(project), done=True)
        events: list[Event] = [StateChanged("running"), StageStarted("evaluation"), Progress(90, 1_080, "answers")]
        add_job(project, EvaluateOptions(run_id), "running", events)
        return project.folder


def make_chat_project(home: Home) -> Path:
    """A project for chatting with a small random local model; its folder."""
    base = str(make_tiny_base(home.projects.parent / "base", hidden_size=128, layers=4))
    settings = ProjectSettings(student_base=base, teacher=TeacherSpec(model=base))
    with Project.create(home.projects / "talk", settings, home) as project:
        project.prompts.set(PROMPT)
        project.rules.replace_all(RULES)
        return project.folder


def make_large_project(home: Home, examples: int) -> Path:
    """A project with this many answered questions; its folder. Takes about a minute for 100,000."""
    folder = home.projects / f"large-{examples}"
    if folder.is_dir():
        return folder
    with Project.create(folder, home=home) as project:
        project.prompts.set(PROMPT)
        project.rules.replace_all(RULES)
        project.questions.add(
            Question(
                (Message("user", f"Question {number} about {TOPICS[number % 6]}, what should I do now?"),),
                topic=TOPICS[number % 6],
                split="test" if number % 10 == 9 else "train",
            )
            for number in range(examples)
        )
        checks = tuple(CheckResult(rule.id, True, "") for rule in project.rules.all())
        project.examples.add(
            [
                Example(
                    key=ExampleKey(PROMPT.sha256, question.id, "starter", 0),
                    answer=f"RISK SCORE: {question.id % 9 + 1}. Please call the desk about number {question.id}.",
                    finish_reason="stop",
                    teacher_kind="local",
                    token_ids=(5, 6, 7, 2),
                    usage=Usage(prompt_tokens=412, completion_tokens=24),
                    checks=checks,
                )
                for question in project.questions.all()
            ]
        )
        project.decisions.decide(
            [Decision(row.example.id, "accept", "rules") for row in project.examples.all() if row.example.id % 2]
        )
    return folder


def run_program(home: Home, *args: str) -> dict[str, object]:
    """The JSON output of a headless command. Raises `RuntimeError` if it fails."""
    command = [str(Path(sys.executable).with_name("distill-tui")), *args, "--json", "--home", str(home.root)]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        raise RuntimeError(f"{' '.join(args)}: {result.stdout}{result.stderr}")
    answer: dict[str, object] = json.loads(result.stdout)
    return answer


if __name__ == "__main__":
    stream(Path(sys.argv[1]), sys.argv[2:])
