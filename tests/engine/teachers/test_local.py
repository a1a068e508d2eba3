"""Generation by a local model: stored ids, repeatable answers, streams, resumption, and questions that do not fit."""

from collections.abc import Sequence
from pathlib import Path
from typing import Unpack

import pytest
import torch

from engine.errors import JobStopped, ModelError, UsageError
from engine.jobs.context import StopFlag
from engine.jobs.protocol import AnswerDelta, AnswerEnded, Note, Progress, StateChanged
from engine.model.chat_format import ChatFormat
from engine.model.decode import Batch
from engine.paths import Home
from engine.project import Project
from engine.records.example import Example
from engine.records.options import GenerateOptions, TeacherSpec
from engine.records.prompt import Message
from engine.records.question import Question
from engine.teachers.ask import ask
from tests.engine.teachers.generation_helpers import Changes, PausedOnce, events_of, generate, run_stage
from tests.tiny import make_tiny_base
from tests.trained import use_one_thread


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_base(tmp_path_factory.mktemp("models") / "tiny")


def local_options(base: Path, **changes: Unpack[Changes]) -> GenerateOptions:
    defaults: Changes = {"max_answer_tokens": 24, "batch_rows": 4}
    return GenerateOptions(TeacherSpec("local", str(base)), **(defaults | changes))


def stored(project: Project) -> dict[tuple[int, int], Example]:
    return {(c.example.key.question_id, c.example.key.attempt): c.example for c in project.examples.all()}


def test_token_ids_and_answers_are_stored_as_generated(project: Project, base: Path) -> None:
    events = generate(project, local_options(base, samples=2))
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


def test_rerun_gives_the_same_answers_with_any_batch_size(
    project: Project, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_one_thread(monkeypatch)
    generate(project, local_options(base))
    first = {key: example.token_ids for key, example in stored(project).items()}
    with Project.create(tmp_path / "again", home=Home.locate()) as again:
        version = project.prompts.current()
        assert version is not None
        again.prompts.set(version.prompt)
        again.questions.add(project.questions.all())
        generate(again, local_options(base, limit=4, batch_rows=3))
        generate(again, local_options(base, batch_rows=1))
        assert {key: example.token_ids for key, example in stored(again).items()} == first


def test_stopped_generation_keeps_its_answers_and_resumes(project: Project, base: Path) -> None:
    stop = StopFlag()
    options = local_options(base, batch_rows=1)
    add = project.examples.add

    def add_and_stop(examples: Sequence[Example]) -> int:
        stop.up = True
        return add(examples)

    project.examples.add = add_and_stop
    with pytest.raises(JobStopped):
        generate(project, options, stop)
    project.examples.add = add
    before = stored(project)
    assert 0 < len(before) < 10
    generate(project, options)
    after = stored(project)
    assert len(after) == 10
    assert {key: after[key] for key in before} == before


def test_paused_generation_reports_its_progress_and_resumes(project: Project, base: Path) -> None:
    job = project.jobs.add(local_options(base, batch_rows=1))
    user = PausedOnce(project.folder / job.folder)
    add = project.examples.add

    def add_and_pause(examples: Sequence[Example]) -> int:
        project.examples.add = add
        user.pause()
        return add(examples)

    project.examples.add = add_and_pause
    run_stage(project, job)
    events = events_of(project, job)
    paused = next(at for at, e in enumerate(events) if isinstance(e, StateChanged) and e.state == "paused")
    progress = [e for e in events[:paused] if isinstance(e, Progress)]
    assert progress[-1].done == sum(isinstance(e, AnswerEnded) for e in events[:paused]) > 0
    assert len(stored(project)) == 10


def test_question_that_does_not_fit_is_named_and_skipped(project: Project, base: Path) -> None:
    project.questions.add([Question((Message("user", "long " * 600),))])
    long = project.questions.all()[-1]
    project.questions.set_splits({long.id: "train"})
    events = generate(project, local_options(base))
    assert len(stored(project)) == 10
    notes = [e.text for e in events if isinstance(e, Note)]
    assert any(f"Question {long.id} with prompt and answer does not fit" in text for text in notes)


def test_local_model_is_asked_again_while_no_answer_is_accepted(project: Project, base: Path) -> None:
    generate(project, local_options(base, limit=2, samples=3, stop_when_accepted=True))
    questions = {question for question, _ in stored(project)}
    assert len(questions) == 2
    assert set(stored(project)) == {(question, attempt) for question in questions for attempt in range(3)}


def test_only_the_named_attempts_are_made_and_differ_from_the_first(project: Project, base: Path) -> None:
    generate(project, local_options(base, splits=("validation",)))
    project.questions.remove([4])
    again = local_options(base, asks=((10, 1), (12, 0), (4, 0)))
    generate(project, again)
    generate(project, again)
    made = stored(project)
    assert set(made) == {(9, 0), (10, 0), (10, 1), (12, 0)}, "in any split; a removed question is skipped"
    assert made[10, 0].token_ids != made[10, 1].token_ids
    with pytest.raises(UsageError, match="no longer exist"):
        generate(project, local_options(base, asks=((4, 1),)))


def test_ask_outside_a_project_gives_varied_and_repeatable_answers(base: Path) -> None:
    notes: list[str] = []
    teacher = ask(TeacherSpec("local", str(base)), Home.locate(), max_tokens=12, on_note=notes.append)
    messages = (Message("system", "Be kind."), Message("user", "Hello?"))
    repeated = ask(TeacherSpec("local", str(base)), Home.locate(), max_tokens=12)
    answers = [teacher(messages) for _ in range(3)]
    assert len(set(answers)) > 1
    assert [repeated(messages) for _ in range(3)] == answers
    assert notes[0] == f"Loading {base} …"
    assert [note.startswith(f"Loaded {base} in ") for note in notes[1:]] == [True]


def test_out_of_memory_keeps_the_answers_and_suggests_smaller_batches(
    project: Project, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step, steps = Batch.step, iter(range(60))

    def fails_later(self: Batch) -> None:
        if next(steps) == 59:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        step(self)

    with monkeypatch.context() as patch:
        patch.setattr(Batch, "step", fails_later)
        with pytest.raises(ModelError, match=r"CUDA out of memory.*fewer parallel answers"):
            generate(project, local_options(base, samples=4))
    assert 0 < len(stored(project)) < 40
    generate(project, local_options(base, samples=4))
    assert len(stored(project)) == 40
