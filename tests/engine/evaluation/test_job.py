"""Whole evaluation jobs over a tiny random base: what they store, how they resume, and how they fail."""

import dataclasses
import json
import math
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.errors import DatasetError, JobStopped, ModelError, NotFoundError
from engine.evaluation.answers import answers_of
from engine.evaluation.job import run
from engine.evaluation.report import report_json
from engine.evaluation.statistics import rate_of_samples
from engine.jobs.devices import Ticket
from engine.jobs.protocol import AnswerEnded, AnswerStarted, Event, Note, Progress
from engine.model import score
from engine.model.decode import Batch
from engine.model.load import load_base
from engine.model.local_model import LocalModel
from engine.paths import Home
from engine.project import Project
from engine.reports.build import build
from engine.reports.facts import read_report
from engine.reports.text import to_text
from engine.rules.checks import check_answer
from tests.engine.evaluation.evaluation_jobs import (
    ARMS,
    OPTIONS,
    RecordingContext,
    evaluate,
    latest_evaluation,
    stored_answers,
)
from tests.trained import make_tiny_adapter, make_trained_project

pytestmark = pytest.mark.usefixtures("single_threaded")


def test_every_arm_answers_every_question_and_scores_match_the_answers(project: Project) -> None:
    context = evaluate(project)
    evaluation, answers = latest_evaluation(project), stored_answers(project)
    questions = {question.id: question for question in project.questions.all(split="test")}
    assert [name for name, _ in evaluation.arms] == list(ARMS)
    for name in ARMS:
        assert {(a.question_id, a.sample) for a in answers[name]} == {
            (question, s) for question in questions for s in range(2)
        }
        checks = [check_answer(project.rules.all(), a.answer, questions[a.question_id]) for a in answers[name]]
        score = evaluation.arm(name)
        assert score is not None
        passed = [all(check.passed for check in found) for found in checks]
        assert score.all_rules == rate_of_samples(zip((a.question_id for a in answers[name]), passed, strict=True))
        assert [rule.rate.passed for rule in score.rules] == [sum(f[i].passed for f in checks) for i in range(2)]
        assert score.ttft_ms_p50 is not None
        assert score.ttft_ms_p50 > 0
        assert score.tokens_per_second_p50 is not None
        assert score.tokens_per_second_p50 > 0
        assert 1 <= score.completion_tokens_mean <= 10
        assert score.cut_off == sum(answer.finish_reason == "length" for answer in answers[name])
        assert all(a.finish_reason in ("stop", "length") for a in answers[name])
    unprompted, prompted, distilled = (dict(evaluation.arms)[name] for name in ARMS)
    assert prompted.kl_to_prompted is None
    for score in (unprompted, distilled):
        assert score.kl_to_prompted is not None
        assert 0 < score.kl_to_prompted.low <= score.kl_to_prompted.mean <= score.kl_to_prompted.high
        assert math.isfinite(score.kl_to_prompted.mean_free_tokens)
    assert distilled.prompt_tokens_mean == unprompted.prompt_tokens_mean < prompted.prompt_tokens_mean - 50
    assert len({json.dumps([a.answer for a in answers[name]]) for name in ARMS}) == 3
    assert evaluation.questions == 6
    assert evaluation.peak_rss_mb > 50
    assert project.settings.timings()["evaluate"] == pytest.approx(evaluation.evaluate_s)
    progress = [event for event in context.events if isinstance(event, Progress)]
    assert progress[-1].done == progress[-1].total == 3 * 12 + 6 + 3 * 5
    speeds = [event for event in progress if event.note.startswith("speed of")]
    assert all(event.done < event.total for event in speeds[:-1]), "it is not at 100 % while it measures the speed"
    assert [event.done for event in progress] == sorted(event.done for event in progress)


def test_adapter_without_effect_answers_exactly_like_the_base(private_home: Path, base: Path) -> None:
    """All arms use the same seeds, so only the adapter makes them differ."""
    zero_adapter = make_tiny_adapter(base, private_home.parent / "nothing", scale=0.0)
    with make_trained_project(Home.locate(), base, zero_adapter) as project:
        evaluate(project)
        answers, evaluation = stored_answers(project), latest_evaluation(project)
        texts = {name: [a.answer for a in answers[name]] for name in ARMS}
        assert texts["distilled"] == texts["unprompted"] != texts["prompted"]
        unprompted, distilled = (dict(evaluation.arms)[name].kl_to_prompted for name in ("unprompted", "distilled"))
        assert unprompted is not None
        assert distilled is not None
        assert distilled.mean == pytest.approx(unprompted.mean, abs=1e-5)
        assert (distilled.low, distilled.high) == pytest.approx((unprompted.low, unprompted.high), abs=1e-5)


def test_stopped_evaluation_resumes_and_ends_with_the_same_answers(
    project: Project, base: Path, adapter: Path, private_home: Path
) -> None:
    with pytest.raises(JobStopped):
        evaluate(project, stop_after=17)
    answered = {(a.arm, a.question_id, a.sample) for found in stored_answers(project).values() for a in found}
    assert 17 <= len(answered) < 36
    assert project.evaluations.latest() is None
    (job,) = project.jobs.all()
    work_before = project.jobs.work(job.id)["evaluation"]
    assert (work_before.seconds > 0, work_before.answers) == (True, len(answered))
    project.jobs.write_work(job.id, "evaluation", work_before.seconds + 1000.0, 0)
    resumed = evaluate(project, job=job)
    assert len(resumed.ended_answers()) == 36 - len(answered)
    finished = latest_evaluation(project)
    assert finished.evaluate_s > 1000.0 + work_before.seconds, "the time of both processes counts"
    assert project.settings.timings()["evaluate"] == pytest.approx(finished.evaluate_s)
    assert finished.reused == 0, "this job asked for all answers"
    with make_trained_project(Home.locate(private_home / "other"), base, adapter) as uninterrupted:
        evaluate(uninterrupted)
        assert stored_answers(uninterrupted) == stored_answers(project)
        assert latest_evaluation(uninterrupted).recovered == latest_evaluation(project).recovered
    assert not evaluate(project).ended_answers()  # all answers are stored, so a second evaluation asks for none
    assert latest_evaluation(project).evaluate_s < 1000.0, "a new job starts its time at zero"
    assert latest_evaluation(project).reused == 36


def test_question_removed_during_evaluation_is_left_out_of_every_arm_and_reported(project: Project) -> None:
    first, second, third, *remaining = [question.id for question in project.questions.all(split="test")]

    class RemovingContext(RecordingContext):
        """The user removes a question while the first arm answers, removes and restores another during the second
        arm, and removes a third when all arms have answered.
        """

        def emit(self, event: Event) -> None:
            super().emit(event)
            with Project.open(project.folder) as opened:
                if isinstance(event, AnswerEnded) and len(self.ended_answers()) == 4:
                    opened.questions.remove([first])
                if isinstance(event, AnswerEnded) and len(self.ended_answers()) == 16:
                    opened.questions.put_back(opened.questions.take_out([second]))
                if isinstance(event, Progress) and event.note.startswith("divergence"):
                    opened.questions.remove([third])

    context = RemovingContext(project, project.jobs.add(OPTIONS))
    run(context, OPTIONS)
    context.close()
    evaluation, answers = latest_evaluation(project), answers_of(project, latest_evaluation(project))
    assert (evaluation.questions, sorted(evaluation.removed)) == (3, [first, second, third])
    assert [score.all_rules.total for _, score in evaluation.arms] == [3 * 2] * 3
    assert {each.all_rules.questions for each in evaluation.comparisons} == {3}
    stored = {(answer.arm, answer.question_id) for answer in answers.answers}
    assert stored == {(arm, question) for arm in ARMS for question in remaining}, "the other answers are kept"
    streamed = {event.stream for event in context.ended_answers()}
    assert not any(stream.startswith((f"prompted/{first}/", f"distilled/{first}/")) for stream in streamed)
    progress = [event for event in context.events if isinstance(event, Progress)]
    assert progress[-1].done == progress[-1].total
    sentence = "3 questions were removed during the evaluation and are left out of every arm."
    assert sentence in " ".join(to_text(build(read_report(project))).split())
    reported = report_json(project)["dataset"]
    assert isinstance(reported, dict)
    assert reported["removed_meanwhile"] == 3
    assert [event.text[:10] for event in context.events if isinstance(event, Note)] == ["1 question"] * 3
    evaluate(project)
    assert (latest_evaluation(project).questions, latest_evaluation(project).removed) == (4, ()), (
        "the restored question is asked again"
    )
    assert answers_of(project, evaluation) == answers


def test_evaluation_fails_if_all_its_questions_are_removed(project: Project) -> None:
    class RemovingContext(RecordingContext):
        def emit(self, event: Event) -> None:
            super().emit(event)
            if isinstance(event, AnswerEnded) and len(self.ended_answers()) == 2:
                with Project.open(project.folder) as opened:
                    opened.questions.remove(opened.questions.ids())

    context = RemovingContext(project, project.jobs.add(OPTIONS))
    with pytest.raises(DatasetError, match="All of them were removed during the evaluation"):
        run(context, OPTIONS)
    context.close()


def test_empty_split_and_missing_adapter_are_refused(project: Project) -> None:
    with pytest.raises(DatasetError, match="validation split is empty"):
        evaluate(project, dataclasses.replace(OPTIONS, split="validation"))
    (project.folder / "runs/1/adapter/adapter_model.safetensors").unlink()
    with pytest.raises(NotFoundError, match="distill-tui train"):
        evaluate(project)


def test_out_of_memory_error_names_the_arm_and_keeps_stored_answers(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = dataclasses.replace(OPTIONS, samples=1)

    def run_out_of_memory(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    class FillingContext(RecordingContext):
        """The device runs out of memory as soon as the prompted arm answers."""

        def emit(self, event: Event) -> None:
            super().emit(event)
            if isinstance(event, AnswerStarted) and event.stream.startswith("prompted/"):
                patch.setattr(Batch, "step", run_out_of_memory)

    context = FillingContext(project, project.jobs.add(options))
    with (
        monkeypatch.context() as patch,
        pytest.raises(ModelError, match=r"answers of arm prompted do not fit.*CUDA out of memory.*decode fewer rows"),
    ):
        run(context, options)
    context.close()
    assert {answer.arm for found in stored_answers(project, options).values() for answer in found} == {"unprompted"}
    with monkeypatch.context() as patch:
        patch.setattr(score, "forward_shared", run_out_of_memory)
        with pytest.raises(ModelError, match=r"answers of arms prompted, unprompted, distilled do not fit"):
            evaluate(project, options)
    assert not evaluate(project, dataclasses.replace(options, batch_rows=1)).ended_answers(), (
        "no answer is requested again"
    )


def test_model_is_released_before_its_device_is_given_back(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[weakref.ref[object]] = []
    give_back = Ticket.give_back

    def load(*args: Any, **kwargs: Any) -> LocalModel:
        local = load_base(*args, **kwargs)
        loaded.append(weakref.ref(local.model))
        return local

    happened: list[str] = []

    def release() -> None:
        happened.append("released" if all(model() is None for model in loaded) else "still referenced")

    def give(ticket: Ticket) -> None:
        happened.append("given back")
        give_back(ticket)

    monkeypatch.setattr("engine.model.load.load_base", load)
    monkeypatch.setattr("engine.model.memory.release_memory", release)
    monkeypatch.setattr(Ticket, "give_back", give)
    evaluate(project)
    assert (len(loaded), happened) == (1, ["released", "given back"])
