"""Answers that an earlier evaluation got are asked of nobody again, and are held against the rules of now."""

import asyncio
import dataclasses
from collections.abc import Sequence
from pathlib import Path

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
from tests.engine.evaluation.evaluating import answers_of as answers_under_key
from tests.engine.evaluation.evaluating import evaluate, latest
from tests.engine.teachers.hostile_server import HostileServer, good
from tests.trained import PROMPT, make_tiny_adapter

OPTIONS = EvaluateOptions(run_id=1, samples=2, max_answer_tokens=10, batch_rows=8, limit=5, seed=3)


@pytest.fixture
def project(project: Project, base: Path) -> Project:
    """Run 1 was evaluated; then the prompt and a rule changed, and run 2 was trained on it."""
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


def test_after_a_change_only_the_arms_that_it_touches_answer_again(project: Project) -> None:
    first = latest(project)
    second = project.runs.get(2)
    earlier = earlier_run(project, second)
    assert earlier is not None
    options = evaluation_beside(project, second, earlier)
    assert options == EvaluateOptions(run_id=2, samples=2, max_answer_tokens=10, limit=5, seed=3, arms=("run:1",)), (
        "as the earlier run was evaluated, with its student beside the new one"
    )
    context = evaluate(project, options)
    assert {event.stream.partition("/")[0] for event in context.ended()} == {"prompted", "distilled"}
    assert len(context.ended()) == 2 * 5 * 2
    found = latest(project)
    assert (found.reused, found.max_answer_tokens, found.limit, found.seed) == (2 * 5 * 2, 10, 5, 3)

    before, after = answers_of(project, first), answers_of(project, found)
    texts = {
        (number, answer.arm): [each.answer for each in read.answers if each.arm == answer.arm]
        for number, read in enumerate((before, after))
        for answer in read.answers
    }
    assert texts[1, "unprompted"] == texts[0, "unprompted"]
    assert texts[1, "run:1"] == texts[0, "distilled"] != texts[1, "distilled"]
    assert texts[1, "prompted"] != texts[0, "prompted"]
    rules = project.rules.all()
    for answer in after.answers:
        assert answer.checks == check_answer(rules, answer.answer, after.questions[answer.question_id])
    old = {answer.checks for answer in before.answers if answer.arm == "distilled"}
    assert old != {answer.checks for answer in after.answers if answer.arm == "run:1"}, "the rules of now decide"
    comparison = found.comparison("run:1", "distilled")
    assert comparison is not None
    assert len(comparison.rules) == 2

    anew = dataclasses.replace(second, config=dataclasses.replace(second.config, initial_run_id=None))
    assert earlier_run(project, anew) == earlier, "also of a run that began from the base"
    whole = dataclasses.replace(anew, config=dataclasses.replace(anew.config, adapter="full"))
    assert earlier_run(project, whole) is None, "whole layers are not in memory beside an adapter"
    (project.folder / earlier.folder / "adapter" / "adapter_config.json").unlink()
    assert earlier_run(project, second) is None
    assert evaluation_beside(project, second, None).arms == ()


async def test_probes_and_verdicts_that_know_nothing_of_the_run_are_asked_for_once(project: Project) -> None:
    """Run 3 has the prompt and the base of run 2 and another adapter, and a rule has changed since."""
    project.rules.add([Rule(0, "Comforts whoever is upset", Check("rubric"))])
    third = project.runs.add(project.runs.get(2).dataset_sha256, project.runs.get(2).config)
    project.runs.update(third.id, state="done", step=8, steps=8, best_step=8, device="cpu", dtype="float32")
    make_tiny_adapter(Path(third.config.base), project.folder / third.folder / "adapter", seed=9)

    def measured(url: str, run_id: int) -> tuple[Evaluation, list[str]]:
        with Project.open(project.folder) as mine:
            asked, add = [], mine.evaluations.add_probe_answers

            def adding(run: int, source: str, kind: ProbeKind, found: Sequence[ArmAnswer]) -> int:
                asked.extend(answer.arm for answer in found)
                return add(run, source, kind, found)

            mine.evaluations.add_probe_answers = adding
            judge = TeacherSpec("endpoint", "m", url)
            options = dataclasses.replace(OPTIONS, run_id=run_id, samples=1, limit=3, judge=judge, regressions=True)
            evaluate(mine, options)
            return latest(mine), asked

    async with HostileServer([good('{"passed": true, "reason": "warm"}')]) as server:
        first, probed = await asyncio.to_thread(measured, server.url, 2)
        assert len(server.requests) == len({(a.question_id, a.answer) for a in answers_of(project, first).answers})
        assert set(probed) == {"unprompted", "prompted", "distilled"}
        kept = project.rules.all()
        changed = dataclasses.replace(kept[1], text="An e somewhere", check=Check("pattern", pattern="e"))
        project.rules.put([kept[0], changed, kept[2]])
        before = len(server.requests)
        second, probed = await asyncio.to_thread(measured, server.url, 3)
        assert len(server.requests) - before <= 3, "the new student's answers alone"
        assert set(probed) == {"distilled"}
    assert second.judged is not None
    assert (second.judged.verdicts, second.judged.missing) == (9, 0)
    assert first.regressions is not None
    assert second.regressions is not None
    assert first.regressions.recitation[0] == second.regressions.recitation[0]
    told = [
        [(rule.text, rule.rate.passed) for rule in each.injection[0].rules]
        for each in (first.regressions, second.regressions)
    ]
    assert told[0][0] == told[1][0]
    assert told[0][1] != told[1][1], "what was answered then is held against the rules of now"


async def test_the_speed_of_a_teacher_that_was_asked_before_is_the_one_that_was_measured(project: Project) -> None:
    def measured(url: str, run_id: int, limit: int) -> ArmScore:
        teacher = TeacherSpec("endpoint", "m", url)
        with Project.open(project.folder) as mine:
            evaluate(mine, dataclasses.replace(OPTIONS, run_id=run_id, samples=1, limit=limit, teacher=teacher))
            score = latest(mine).arm("teacher")
        assert score is not None
        return score

    async with HostileServer([good("A fine", " and long", " answer.")]) as server:
        first = await asyncio.to_thread(measured, server.url, 2, 3)
        assert first.ttft_ms_p50
        project.rules.put(project.rules.all()[:1])  # so that the next evaluation has another key
        config = project.runs.get(2).config
        project.runs.update(2, config=dataclasses.replace(config, device="auto"))  # on which no endpoint depends
        again = await asyncio.to_thread(measured, server.url, 2, 3)
        assert len(server.requests) == 3
        assert (again.ttft_ms_p50, again.tokens_per_second_p50) == (first.ttft_ms_p50, first.tokens_per_second_p50)
        wider = await asyncio.to_thread(measured, server.url, 2, 4)
        assert len(server.requests) == 4, "the three that were asked, and one more"
        assert wider.ttft_ms_p50 not in (None, first.ttft_ms_p50), "of the answers that were asked for now"
    assert project.evaluations.score_of("unknown") is None


@pytest.mark.parametrize("changed", [{"temperature": 0.5}, {"seed": 4}, {"max_answer_tokens": 9}])
def test_what_would_be_answered_otherwise_is_asked(project: Project, changed: dict[str, float]) -> None:
    options = dataclasses.replace(OPTIONS, limit=1, samples=1, **changed)
    assert len(evaluate(project, options).ended()) == 3


def test_an_evaluation_that_stops_keeps_what_it_took_over(project: Project) -> None:
    options = dataclasses.replace(OPTIONS, run_id=2)
    context = JobContext(project, project.jobs.add(options), flag := StopFlag())
    flag.up = True
    with pytest.raises(JobStopped):
        evaluate_in(context, options)
    context.close()
    kept = answers_under_key(project, options)
    assert [len(kept[name]) for name in ("unprompted", "prompted", "distilled")] == [10, 0, 0]
