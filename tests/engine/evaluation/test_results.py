"""What is read back from a finished evaluation: the JSON report and the answers."""

import dataclasses
import json

import pytest

from engine.errors import NotFoundError
from engine.evaluation.answers import Answered, answers_of
from engine.evaluation.lapses import find_lapses
from engine.evaluation.plan import make_plan
from engine.evaluation.report import report_json
from engine.project import Project
from engine.reports.outputs import brief_text
from tests.engine.cli.shapes import REPORT, assert_shape
from tests.engine.evaluation.evaluation_jobs import OPTIONS, evaluate, latest_evaluation


def test_report_json_has_every_field_and_the_text_shows_the_same_figures(project: Project) -> None:
    with pytest.raises(NotFoundError, match="distill-tui evaluate"):
        report_json(project)
    evaluate(project)
    report = json.loads(json.dumps(report_json(project), allow_nan=False))
    assert report["schema"] == 1
    prompt_tokens = (
        report["arms"]["prompted"]["prompt_tokens_mean"] - report["arms"]["unprompted"]["prompt_tokens_mean"]
    )
    assert report["prompt"]["tokens"] == report["savings"]["prompt_tokens_per_request"] == prompt_tokens
    assert report["prompt"]["rules"] == 2
    assert report["student"]["adapter"] == "runs/1/adapter"
    assert report["dataset"] == {
        "sha256": latest_evaluation(project).dataset_sha256,
        "train": 1,
        "validation": 0,
        "test": 6,
    }
    assert report["sampling"] == {
        "split": "test", "temperature": 0.7, "samples": 2, "max_answer_tokens": 10, "limit": None, "seed": 0,
        "reused_answers": 0,
    }  # fmt: skip
    assert report["arms"]["teacher"] is None
    assert report["arms"]["prompted"]["kl_to_prompted"] is None
    assert set(report["arms"]["distilled"]["rules"][0]) == {
        "id", "text", "kind", "passed", "total", "rate", "low", "high",
    }  # fmt: skip
    assert report["verdict"] == "undecided"  # six questions are too few
    assert [(each["arm"], each["against"]) for each in report["comparisons"]] == [
        ("unprompted", "prompted"), ("distilled", "prompted"), ("distilled", "unprompted"),
    ]  # fmt: skip
    assert_shape(report, REPORT)
    assert report["timing"]["total_s"] == pytest.approx(report["timing"]["evaluate_s"])
    assert report["savings"]["cost_usd_per_1000_requests"] == dict.fromkeys(
        ("prompted", "prompted_cached", "distilled")
    )
    text = brief_text(project)
    assert all(len(line) <= 80 for line in text.splitlines())
    assert f"{report['prompt']['tokens']}  prompt tokens saved per request" in text


def test_answers_of_an_evaluation_exclude_those_of_a_wider_one(project: Project) -> None:
    evaluate(project, dataclasses.replace(OPTIONS, limit=2))
    narrow = latest_evaluation(project)
    evaluate(project)
    narrow_answers, wide_answers = answers_of(project, narrow), answers_of(project, latest_evaluation(project))
    narrow_questions = make_plan(project, dataclasses.replace(OPTIONS, limit=2)).questions
    assert list(narrow_answers.questions) == [question.id for question in narrow_questions]
    assert len(narrow_answers.answers) == 3 * 2 * 2
    assert len(wide_answers.answers) == 3 * 6 * 2
    assert {
        lapse.question_id for lapse in find_lapses(narrow_answers.answers, "prompted")
    } == narrow_answers.questions.keys()
    without_key = dataclasses.replace(narrow, answers_key="")
    assert answers_of(project, without_key) == Answered({}, ())


def test_removed_question_is_not_replaced_by_one_of_a_wider_evaluation(project: Project) -> None:
    evaluate(project, dataclasses.replace(OPTIONS, limit=2))
    narrow = latest_evaluation(project)
    evaluate(project)
    first, second = answers_of(project, narrow).questions
    project.questions.remove([first])
    assert list(answers_of(project, narrow).questions) == [second]
    assert len(answers_of(project, latest_evaluation(project)).questions) == 5
