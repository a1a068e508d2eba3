"""Stored answers of earlier evaluations are reused, not requested again, and are checked against the current rules."""

import asyncio
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from engine.errors import JobStopped
from engine.evaluation.answers import answers_of
from engine.evaluation.job import run as evaluate_in
from engine.jobs.context import JobContext, StopFlag
from engine.project import Project
from engine.records.dataset import Dataset, DatasetRow
from engine.records.evaluation import ArmAnswer, ArmScore, Evaluation
from engine.records.options import EvaluateOptions, TeacherSpec
from engine.records.prompt import Message, Prompt
from engine.records.regressions import ProbeKind
from engine.records.rule import Check, Rule
from engine.rules.checks import check_answer
from engine.store.datasets import dataset_sha256
from engine.updates.side_by_side import earlier_run, evaluation_beside
from tests.engine.evaluation.evaluation_jobs import evaluate, latest_evaluation, stored_answers
from tests.engine.teachers.hostile_server import HostileServer, good
from tests.trained import PROMPT, make_tiny_adapter

OPTIONS = EvaluateOptions(run_id=1, samples=2, max_answer_tokens=10, batch_rows=8, limit=5, seed=3)


@pytest.fixture
def project(project: Project, base: Path) -> Project:
    """Run 1 was evaluated; then the prompt and a rule changed, and run 2 was trained on the new prompt."""
    project.settings.write(dataclasses.replace(project.settings.read(), teacher=TeacherSpec("local", str(base))))
    evaluate(project, OPTIONS)
    prompt = Prompt((Message("system", "Answer with a number."), *PROMPT.messages[1:]))
    project.prompts.set(prompt)
    project.rules.put([*project.rules.all()[:1], Rule(2, "An o somewhere", Check("pattern", pattern="o"))])
    rows = (DatasetRow(1, 1, "train", (1, 2), (3, 2), 2, (False, False)),)
    sha256 = dataset_sha256(prompt.sha256, str(base), rows)
    project.datasets.add(Dataset(sha256, prompt.sha256, str(base), rows))
    second = project.runs.add(sha256, dataclasses.replace(project.runs.get(1).config, initial_run_id=1))
    project.runs.update(second.id, state="done", step=8, steps=8, best_step=8, device="cpu", dtype="float32")
    make_tiny_adapter(base, project.folder / second.folder / "adapter", seed=7)
    return project


def test_only_arms_affected_by_a_change_answer_again(project: Project) -> None:
    first = latest_evaluation(project)
    second = project.runs.get(2)
    earlier = earlier_run(project, second)
    assert earlier is not None
    options = evaluation_beside(project, second, earlier)
    assert options == EvaluateOptions(run_id=2, samples=2, max_answer_tokens=10, limit=5, seed=3, arms=("run:1",)), (
        "the options of the earlier evaluation, with its student as an extra arm"
    )
    context = evaluate(project, options)
    assert {event.stream.partition("/")[0] for event in context.ended_answers()} == {"prompted", "distilled"}
    assert len(context.ended_answers()) == 2 * 5 * 2
    updated = latest_evaluation(project)
    assert (updated.reused, updated.max_answer_tokens, updated.limit, updated.seed) == (2 * 5 * 2, 10, 5, 3)

    before, after = answers_of(project, first), answers_of(project, updated)
    texts = {
        (number, answer.arm): [each.answer for each in answered.answers if each.arm == answer.arm]
        for number, answered in enumerate((before, after))
        for answer in answered.answers
    }
    assert texts[1, "unprompted"] == texts[0, "unprompted"]
    assert texts[1, "run:1"] == texts[0, "distilled"] != texts[1, "distilled"]
    assert texts[1, "prompted"] != texts[0, "prompted"]
    rules = project.rules.all()
    for answer in after.answers:
        assert answer.checks == check_answer(rules, answer.answer, after.questions[answer.question_id])
    old_checks = {answer.checks for answer in before.answers if answer.arm == "distilled"}
    assert old_checks != {answer.checks for answer in after.answers if answer.arm == "run:1"}, (
        "reused answers are checked against the current rules"
    )
    comparison = updated.comparison("run:1", "distilled")
    assert comparison is not None
    assert len(comparison.rules) == 2

    from_base = dataclasses.replace(second, config=dataclasses.replace(second.config, initial_run_id=None))
    assert earlier_run(project, from_base) == earlier, "also for a run that was trained from the base"
    full_layers = dataclasses.replace(from_base, config=dataclasses.replace(from_base.config, adapter="full"))
    assert earlier_run(project, full_layers) is None, "whole layers cannot be in memory next to an adapter"
    (project.folder / earlier.folder / "adapter" / "adapter_config.json").unlink()
    assert earlier_run(project, second) is None
    assert evaluation_beside(project, second, None).arms == ()


async def test_probes_and_verdicts_independent_of_the_run_are_requested_once(project: Project) -> None:
    """Run 3 has the prompt and base of run 2, but another adapter, and a rule has changed in between."""
    project.rules.add([Rule(0, "Comforts whoever is upset", Check("rubric"))])
    third = project.runs.add(project.runs.get(2).dataset_sha256, project.runs.get(2).config)
    project.runs.update(third.id, state="done", step=8, steps=8, best_step=8, device="cpu", dtype="float32")
    make_tiny_adapter(Path(third.config.base), project.folder / third.folder / "adapter", seed=9)

    def evaluate_in_thread(url: str, run_id: int) -> tuple[Evaluation, list[str]]:
        with Project.open(project.folder) as opened:
            probed_arms: list[str] = []
            add_probe_answers = opened.evaluations.add_probe_answers

            def record_and_add(run_id: int, source_sha256: str, kind: ProbeKind, answers: Sequence[ArmAnswer]) -> None:
                probed_arms.extend(answer.arm for answer in answers)
                add_probe_answers(run_id, source_sha256, kind, answers)

            opened.evaluations.add_probe_answers = record_and_add
            judge = TeacherSpec("endpoint", "m", url)
            options = dataclasses.replace(OPTIONS, run_id=run_id, samples=1, limit=3, judge=judge, regressions=True)
            evaluate(opened, options)
            return latest_evaluation(opened), probed_arms

    async with HostileServer([good('{"passed": true, "reason": "warm"}')]) as server:
        first, probed = await asyncio.to_thread(evaluate_in_thread, server.url, 2)
        assert len(server.requests) == len({(a.question_id, a.answer) for a in answers_of(project, first).answers})
        assert set(probed) == {"unprompted", "prompted", "distilled"}
        rules = project.rules.all()
        changed = dataclasses.replace(rules[1], text="An e somewhere", check=Check("pattern", pattern="e"))
        project.rules.put([rules[0], changed, rules[2]])
        requests_before = len(server.requests)
        second, probed = await asyncio.to_thread(evaluate_in_thread, server.url, 3)
        assert len(server.requests) - requests_before <= 3, "only the new student's answers are judged"
        assert set(probed) == {"distilled"}
    assert second.judged is not None
    assert (second.judged.verdicts, second.judged.missing) == (9, 0)
    assert first.regressions is not None
    assert second.regressions is not None
    assert first.regressions.recitation[0] == second.regressions.recitation[0]
    injection_rates = [
        [(rule.text, rule.rate.passed) for rule in each.injection[0].rules]
        for each in (first.regressions, second.regressions)
    ]
    assert injection_rates[0][0] == injection_rates[1][0]
    assert injection_rates[0][1] != injection_rates[1][1], "the old answers are checked against the current rules"


async def test_teacher_speed_is_reused_with_its_answers(project: Project) -> None:
    def teacher_score(url: str, run_id: int, limit: int) -> ArmScore:
        teacher = TeacherSpec("endpoint", "m", url)
        with Project.open(project.folder) as opened:
            evaluate(opened, dataclasses.replace(OPTIONS, run_id=run_id, samples=1, limit=limit, teacher=teacher))
            score = latest_evaluation(opened).arm("teacher")
        assert score is not None
        return score

    async with HostileServer([good("A fine", " and long", " answer.")]) as server:
        first = await asyncio.to_thread(teacher_score, server.url, 2, 3)
        assert first.ttft_ms_p50
        project.rules.put(project.rules.all()[:1])  # so that the next evaluation has another key
        config = project.runs.get(2).config
        project.runs.update(2, config=dataclasses.replace(config, device="auto"))  # no endpoint depends on it
        again = await asyncio.to_thread(teacher_score, server.url, 2, 3)
        assert len(server.requests) == 3
        assert (again.ttft_ms_p50, again.tokens_per_second_p50) == (first.ttft_ms_p50, first.tokens_per_second_p50)
        wider = await asyncio.to_thread(teacher_score, server.url, 2, 4)
        assert len(server.requests) == 4, "three earlier requests and one new one"
        assert wider.ttft_ms_p50 not in (None, first.ttft_ms_p50), "measured over the new answer"
    assert project.evaluations.score_of("unknown") is None


@pytest.mark.parametrize("changed", [{"temperature": 0.5}, {"seed": 4}, {"max_answer_tokens": 9}])
def test_other_sampling_options_ask_for_new_answers(project: Project, changed: dict[str, Any]) -> None:
    options = dataclasses.replace(OPTIONS, limit=1, samples=1, **changed)
    assert len(evaluate(project, options).ended_answers()) == 3


def test_stopped_evaluation_keeps_its_reused_answers(project: Project) -> None:
    options = dataclasses.replace(OPTIONS, run_id=2)
    context = JobContext(project, project.jobs.add(options), flag := StopFlag())
    flag.up = True
    with pytest.raises(JobStopped):
        evaluate_in(context, options)
    context.close()
    stored = stored_answers(project, options)
    assert [len(stored[name]) for name in ("unprompted", "prompted", "distilled")] == [10, 0, 0]
