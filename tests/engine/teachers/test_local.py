"""Generation by a local model: kept ids, repeatable answers, streams, resumption, questions that do not fit."""

from pathlib import Path

import pytest
import torch

from engine.errors import JobStopped, ModelError, UsageError
from engine.jobs.context import JobContext, StopFlag
from engine.jobs.follow import Follower
from engine.jobs.protocol import AnswerDelta, AnswerEnded, Event, Note, Progress, StateChanged
from engine.model.chat_format import ChatFormat
from engine.model.decode import Batch
from engine.paths import Home
from engine.project import Project
from engine.records.example import Example
from engine.records.options import GenerateOptions, TeacherSpec
from engine.records.prompt import Message
from engine.records.question import Question
from engine.teachers.ask import ask
from engine.teachers.job import run
from tests.engine.teachers.test_generation import PausedOnce
from tests.tiny import make_tiny_base
from tests.trained import one_thread


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_base(tmp_path_factory.mktemp("models") / "tiny")


def generate(project: Project, wanted: GenerateOptions, stop: StopFlag | None = None) -> list[Event]:
    job = project.jobs.add(wanted)
    context = JobContext(project, job, stop)
    try:
        run(context, wanted)
    finally:
        context.close()
    return [stamped.event for stamped in Follower(project.folder / job.folder).read_new()]


def options(base: Path, **changes: object) -> GenerateOptions:
    known: dict[str, object] = {"max_answer_tokens": 24, "batch_rows": 4}
    return GenerateOptions(TeacherSpec("local", str(base)), **(known | changes))


def stored(project: Project) -> dict[tuple[int, int], Example]:
    return {(c.example.key.question_id, c.example.key.attempt): c.example for c in project.examples.all()}


def test_ids_and_answers_are_kept_as_produced(project: Project, base: Path) -> None:
    events = generate(project, options(base, samples=2))
    chat = ChatFormat.load(base)
    examples = stored(project)
    assert len(examples) == 20
    for example in examples.values():
        assert example.token_ids is not None
        assert example.answer == chat.decode(example.token_ids)
        assert (example.finish_reason == "stop") == (example.token_ids[-1] in chat.stop_ids)
        assert example.usage.completion_tokens == len(example.token_ids)
        assert example.usage.cost_usd == 0
        assert len(example.checks) == 1
    assert 0 < examples[1, 0].usage.cached_tokens < examples[1, 0].usage.prompt_tokens
    assert examples[1, 0].token_ids != examples[1, 1].token_ids
    ended = {e.stream: e.answer for e in events if isinstance(e, AnswerEnded)}
    assert len(ended) == 20
    shown = {e.stream: "" for e in events if isinstance(e, AnswerDelta)}
    for e in events:
        if isinstance(e, AnswerDelta):
            shown[e.stream] += e.text
    assert all(ended[stream].startswith(text) for stream, text in shown.items())


def test_a_rerun_answers_the_same_whatever_the_batches(
    project: Project, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_thread(monkeypatch)
    generate(project, options(base))
    first = {key: example.token_ids for key, example in stored(project).items()}
    with Project.create(tmp_path / "again", home=Home.locate()) as again:
        version = project.prompts.current()
        assert version is not None
        again.prompts.set(version.prompt)
        again.questions.add(project.questions.all())
        generate(again, options(base, limit=4, batch_rows=3))
        generate(again, options(base, batch_rows=1))
        assert {key: example.token_ids for key, example in stored(again).items()} == first


def test_a_stop_keeps_what_is_finished_and_goes_on_there(project: Project, base: Path) -> None:
    stop = StopFlag()
    wanted = options(base, batch_rows=1)
    job = project.jobs.add(wanted)
    context = JobContext(project, job, stop)
    add = project.examples.add

    def add_and_stop(examples: list[Example]) -> int:
        stop.up = True
        return add(examples)

    project.examples.add = add_and_stop
    with pytest.raises(JobStopped):
        run(context, wanted)
    context.close()
    project.examples.add = add
    before = stored(project)
    assert 0 < len(before) < 10
    generate(project, wanted)
    after = stored(project)
    assert len(after) == 10
    assert {key: after[key] for key in before} == before


def test_a_pause_tells_how_far_it_is_and_goes_on_later(project: Project, base: Path) -> None:
    wanted = options(base, batch_rows=1)
    job = project.jobs.add(wanted)
    context = JobContext(project, job)
    wishes = PausedOnce(context.folder)
    add = project.examples.add

    def add_and_pause(examples: list[Example]) -> int:
        project.examples.add = add
        wishes.pause()
        return add(examples)

    project.examples.add = add_and_pause
    run(context, wanted)
    context.close()
    events = [stamped.event for stamped in Follower(project.folder / job.folder).read_new()]
    paused = next(at for at, e in enumerate(events) if isinstance(e, StateChanged) and e.state == "paused")
    told = [e for e in events[:paused] if isinstance(e, Progress)]
    assert told[-1].done == sum(isinstance(e, AnswerEnded) for e in events[:paused]) > 0
    assert len(stored(project)) == 10


def test_a_question_that_does_not_fit_is_named_and_the_others_go_on(project: Project, base: Path) -> None:
    project.questions.add([Question((Message("user", "long " * 600),))])
    long = project.questions.all()[-1]
    project.questions.set_splits({long.id: "train"})
    events = generate(project, options(base))
    assert len(stored(project)) == 10
    notes = [e.text for e in events if isinstance(e, Note)]
    assert any(f"Question {long.id} with prompt and answer does not fit" in text for text in notes)


def test_until_accepted_asks_a_local_model_again(project: Project, base: Path) -> None:
    generate(project, options(base, limit=2, samples=3, stop_when_accepted=True))
    asked = {question for question, _ in stored(project)}
    assert len(asked) == 2
    assert set(stored(project)) == {(question, attempt) for question in asked for attempt in range(3)}


def test_named_attempts_alone_are_made_and_differ_from_the_first(project: Project, base: Path) -> None:
    generate(project, options(base, splits=("validation",)))
    project.questions.remove([4])
    again = options(base, asks=((10, 1), (12, 0), (4, 0)))
    generate(project, again)
    generate(project, again)
    made = stored(project)
    assert set(made) == {(9, 0), (10, 0), (10, 1), (12, 0)}, "whatever its split; one that is gone is passed over"
    assert made[10, 0].token_ids != made[10, 1].token_ids
    with pytest.raises(UsageError, match="no longer exist"):
        generate(project, options(base, asks=((4, 1),)))


def test_asking_outside_of_a_project(base: Path) -> None:
    teacher = ask(TeacherSpec("local", str(base)), Home.locate(), max_tokens=12)
    messages = (Message("system", "Be kind."), Message("user", "Hello?"))
    same = ask(TeacherSpec("local", str(base)), Home.locate(), max_tokens=12)
    answers = [teacher(messages) for _ in range(3)]
    assert len(set(answers)) > 1
    assert [same(messages) for _ in range(3)] == answers


def test_memory_that_does_not_suffice_is_told_with_what_to_do_and_what_came_is_kept(
    project: Project, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step, steps = Batch.step, iter(range(60))

    def fails_later(self: Batch) -> None:
        if next(steps) == 59:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        step(self)

    monkeypatch.setattr(Batch, "step", fails_later)
    with pytest.raises(ModelError, match=r"CUDA out of memory.*smaller --batch-rows"):
        generate(project, options(base, samples=4))
    kept = len(stored(project))
    assert 0 < kept < 40
    monkeypatch.undo()
    one_thread(monkeypatch)
    generate(project, options(base, samples=4))
    assert len(stored(project)) == 40
