"""Extra arms over a tiny random base: same questions and seeds as the standard arms, each with the right weights."""

import dataclasses
import shutil
from pathlib import Path

import pytest
from peft import PeftModel

from engine.errors import NotFoundError, UsageError
from engine.evaluation.answers import answers_of
from engine.evaluation.extra_arms import check_arms, find_arms
from engine.evaluation.report import report_json
from engine.jobs.protocol import Progress
from engine.model import load, other_adapter
from engine.project import Project
from engine.records.options import EvaluateOptions
from engine.records.run import TrainingConfig
from engine.training.checkpoints import save_checkpoint
from tests.engine.evaluation.evaluation_jobs import evaluate, latest_evaluation
from tests.trained import make_tiny_adapter

EXTRAS = ("run:2", "checkpoint:1:4", "prompt_back")
OPTIONS = EvaluateOptions(run_id=1, samples=2, max_answer_tokens=10, batch_rows=8, arms=EXTRAS)


@pytest.fixture
def project(project: Project, base: Path, adapter: Path, tmp_path: Path) -> Project:
    """The project with a run 2 that has run 1's weights, and a checkpoint of run 1 at step 4 with other weights."""
    older = make_tiny_adapter(base, tmp_path / "older", seed=2)
    first = project.runs.get(1)
    second = project.runs.add(first.dataset_sha256, first.config)
    project.runs.update(second.id, state="done", best_step=8)
    shutil.copytree(adapter, project.folder / second.folder / "adapter")

    def copy_older(folder: Path) -> None:
        shutil.copytree(older, folder / "adapter")

    save_checkpoint(project.folder / first.folder / "checkpoints", 4, copy_older)
    return project


def test_extra_arms_use_the_same_questions_and_seeds_but_their_own_weights(project: Project) -> None:
    evaluate(project, OPTIONS)
    evaluation = latest_evaluation(project)
    assert [name for name, _ in evaluation.arms] == ["unprompted", "prompted", "distilled", *EXTRAS]
    found = answers_of(project, evaluation)
    texts = {name: [answer.answer for answer in found.answers if answer.arm == name] for name, _ in evaluation.arms}
    assert {len(each) for each in texts.values()} == {12}
    assert texts["run:2"] == texts["distilled"], "same weights, same seeds"
    assert len({tuple(each) for each in texts.values()}) == 5
    kls = {name: score.kl_to_prompted for name, score in evaluation.arms}
    assert kls["run:2"] is not None
    assert kls["distilled"] is not None
    assert kls["run:2"].mean == pytest.approx(kls["distilled"].mean, abs=1e-5)
    assert kls["prompt_back"] is not None
    tokens = {name: score.prompt_tokens_mean for name, score in evaluation.arms}
    assert tokens["prompt_back"] == tokens["prompted"] > tokens["run:2"] == tokens["distilled"]
    assert {(each.arm, each.against) for each in evaluation.comparisons} >= {
        pair for name in EXTRAS for pair in ((name, "prompted"), (name, "distilled"))
    }
    reported = report_json(project)["arms"]
    assert isinstance(reported, dict)
    assert reported.keys() > set(EXTRAS)

    assert not evaluate(project, OPTIONS).ended_answers(), "all answers are stored"
    plain = evaluate(project, dataclasses.replace(OPTIONS, arms=()))
    assert not plain.ended_answers(), "the answers of the standard arms are reused"
    assert {answer.arm for answer in answers_of(project, latest_evaluation(project)).answers} == {
        "unprompted", "prompted", "distilled",
    }  # fmt: skip
    make_tiny_adapter(Path(project.runs.get(1).config.base), project.folder / "runs/2/adapter", seed=5)
    again = evaluate(project, dataclasses.replace(OPTIONS, arms=("run:2",)))
    assert len(again.ended_answers()) == 12, "new weights need new answers"


def test_arms_with_whole_layers_are_loaded_one_at_a_time(
    project: Project, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapters_loaded: list[int] = []

    def attach(model: PeftModel, folder: Path, name: str) -> PeftModel:
        found = load.attach(model, folder, name)
        adapters_loaded.append(len(found.peft_config))
        return found

    monkeypatch.setattr(other_adapter, "attach", attach)
    third = project.runs.add(project.runs.get(1).dataset_sha256, project.runs.get(1).config)
    project.runs.update(third.id, state="done", best_step=8)
    for run, seed in ((1, 3), (2, 3), (3, 4)):
        make_tiny_adapter(base, project.folder / f"runs/{run}/adapter", seed=seed, kind="full")
    arms = ("run:2", "run:3", "prompt_back")
    context = evaluate(project, dataclasses.replace(OPTIONS, samples=1, limit=3, arms=arms))
    assert adapters_loaded == [2, 2], "each next to the student's own, never all at once"
    scores = dict(latest_evaluation(project).arms)
    assert list(scores) == ["unprompted", "prompted", "distilled", *arms]
    means = {name: kl.mean for name, score in scores.items() if (kl := score.kl_to_prompted) is not None}
    assert means.keys() == scores.keys() - {"prompted"}
    assert means["run:2"] == pytest.approx(means["distilled"], abs=1e-5)
    assert means["run:3"] != pytest.approx(means["distilled"], abs=1e-3)
    last = [event for event in context.events if isinstance(event, Progress)][-1]
    assert last.done == last.total == 6 * 3 + 4 * 3 + 6 * 3


def test_unknown_and_unusable_arms_are_refused(project: Project) -> None:
    run = project.runs.get(1)
    for names in (("run-2",), ("checkpoint:1",), ("run:0",), ("distilled",), ("run:2", "run:2")):
        with pytest.raises(UsageError):
            check_arms(names)
    with pytest.raises(NotFoundError, match="Steps kept: 4"):
        find_arms(project, ("checkpoint:1:5",), run)
    with pytest.raises(NotFoundError):
        find_arms(project, ("run:9",), run)
    (project.folder / "runs/1/checkpoints/step-4/adapter/adapter_config.json").unlink()
    with pytest.raises(NotFoundError, match="cannot be used"):
        find_arms(project, ("checkpoint:1:4",), run)
    whole = project.runs.add(run.dataset_sha256, dataclasses.replace(run.config, adapter="full"))
    for extra, student in ((whole, run), (run, whole)):
        with pytest.raises(UsageError, match=f"evaluate --run {extra.id}"):
            find_arms(project, (f"run:{extra.id}",), student)
    other = project.runs.add(run.dataset_sha256, TrainingConfig(base="elsewhere"))
    with pytest.raises(UsageError, match="another base"):
        find_arms(project, (f"run:{other.id}",), run)
