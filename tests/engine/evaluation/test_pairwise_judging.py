"""Pairwise judging: both orders, ties, length control against statsmodels, and agreement with the user's votes."""

import asyncio
import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import example, given
from hypothesis import strategies as st
from statsmodels.stats.inter_rater import cohens_kappa

from engine.evaluation.agreement import PairOutcome, agreement, flipped, outcome
from engine.evaluation.length_control import length_controlled
from engine.evaluation.report import report_json
from engine.project import Project
from engine.records.options import EvaluateOptions, TeacherSpec
from engine.records.preference import Better, Preference
from engine.records.prompt import Message
from engine.records.vote import Vote, VoteChoice
from engine.reports.build import build
from engine.reports.facts import read_report
from engine.reports.text import to_text
from engine.rules.judge import UnreadableVerdictError, read_pair_verdict
from tests.engine.evaluation.evaluation_jobs import evaluate, latest_evaluation
from tests.engine.teachers.hostile_server import HostileServer, Request, good

OPTIONS = EvaluateOptions(run_id=1, samples=1, max_answer_tokens=4, batch_rows=64, preference=True)
OUTCOMES: tuple[PairOutcome, ...] = ("win", "tie", "loss")


def evaluate_preference(folder: Path, url: str) -> Preference:
    with Project.open(folder) as opened:
        evaluate(opened, dataclasses.replace(OPTIONS, judge=TeacherSpec("endpoint", "m", url)))
        found = latest_evaluation(opened).preference
    assert found is not None
    return found


async def prefer_longer_answer(request: Request, writer: asyncio.StreamWriter) -> None:
    """A judge that prefers the longer answer in either position."""
    line = next(line for line in request.question.splitlines() if line.startswith('{"conversation"'))
    data = json.loads(line)
    a, b = len(data["A"]), len(data["B"])
    better = "tie" if a == b else "A" if a > b else "B"
    await good(json.dumps({"better": better, "reason": "longer"}))(request, writer)


async def test_judge_compares_both_orders_and_is_compared_with_the_users_votes(project: Project) -> None:
    def vote(left: str, right: str, answers: tuple[str, str], choice: VoteChoice) -> None:
        project.votes.add(Vote((Message("user", "Is it open?"),), left, right, *answers, choice, blind=True))

    vote("run-1", "prompted", ("A long answer.", "Short."), "left")
    vote("prompted", "run-1", ("A long answer.", "Short."), "right")
    vote("prompted", "run-1", ("Same", "Same"), "both_bad")
    vote("run-1@50", "prompted", ("A long answer.", "Short."), "right")  # another arm
    async with HostileServer([prefer_longer_answer]) as server:
        found = await asyncio.to_thread(evaluate_preference, project.folder, server.url)
        requests = len(server.requests)
        repeated = await asyncio.to_thread(evaluate_preference, project.folder, server.url)
        assert len(server.requests) == requests  # verdicts are not requested again
    assert repeated == found
    by_arm = {
        arm: {
            a.question_id: a.answer
            for a in project.evaluations.answers(latest_evaluation(project).answers_key)
            if a.arm == arm
        }
        for arm in ("distilled", "prompted")
    }
    differences = [len(by_arm["distilled"][q]) - len(by_arm["prompted"][q]) for q in by_arm["distilled"]]
    assert (found.wins, found.losses) == (sum(d > 0 for d in differences), sum(d < 0 for d in differences))
    assert found.wins + found.ties + found.losses == 6
    assert found.flipped.passed == found.missing == 0
    assert found.longer_characters == pytest.approx(sum(differences) / 6)
    assert found.win_rate is not None
    assert found.win_rate.value == pytest.approx((found.wins + found.ties / 2) / 6)
    assert found.agreement is not None
    assert (found.agreement.same.passed, found.agreement.same.total) == (2, 3)
    reported = report_json(project)["preference"]
    assert isinstance(reported, dict)
    assert reported["votes"]["same"]["passed"] == 2
    assert "win rate of distilled" in " ".join(to_text(build(read_report(project))).split())


async def test_position_bias_counts_as_ties_and_unusable_verdicts_as_missing(project: Project) -> None:
    async with HostileServer([good("A."), good('{"better": "A", "reason": "first"}')]) as server:
        found = await asyncio.to_thread(evaluate_preference, project.folder, server.url)
    assert (found.wins, found.ties, found.losses, found.missing) == (0, 5, 0, 1)
    assert (found.flipped.passed, found.flipped.total) == (5, 5)
    assert "not JSON" in found.fault
    assert found.agreement is None


@pytest.mark.parametrize("reply", ['{"better": "C", "reason": "x"}', '{"better": ["A"], "reason": "x"}', "A", "{}"])
def test_pair_verdict_outside_the_choices_is_rejected(reply: str) -> None:
    with pytest.raises(UnreadableVerdictError):
        read_pair_verdict(reply)


def test_outcome_and_flip_follow_from_both_orders() -> None:
    replies: tuple[Better, ...] = ("A", "B", "tie")
    found = {(a, b): (outcome(a, b), flipped(a, b)) for a in replies for b in replies}
    assert {pair for pair, (result, _) in found.items() if result == "win"} == {("A", "B")}
    assert {pair for pair, (result, _) in found.items() if result == "loss"} == {("B", "A")}
    assert {pair for pair, (_, result) in found.items() if result} == {("A", "A"), ("B", "B")}


@given(st.lists(st.tuples(st.sampled_from(OUTCOMES), st.sampled_from(OUTCOMES)), min_size=1, max_size=60))
def test_agreement_equals_statsmodels(pairs: Sequence[tuple[PairOutcome, PairOutcome]]) -> None:
    table = np.zeros((3, 3))
    for one, other in pairs:
        table[OUTCOMES.index(one), OUTCOMES.index(other)] += 1
    found = agreement(pairs)
    assert found is not None
    assert found.same.passed == table.trace()
    if found.kappa is None:
        assert len({each for pair in pairs for each in pair}) == 1
    else:
        assert found.kappa == pytest.approx(float(cohens_kappa(table, return_results=False)), abs=1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_length_controlled_win_rate_equals_statsmodels(seed: int) -> None:
    generator = np.random.default_rng(seed)
    longer = generator.normal(40 * (seed - 2), 80, 120)
    chance = 1 / (1 + np.exp(-(0.3 * (seed - 2) + 1.5 * np.tanh(longer / 80))))
    scores = np.where(generator.random(120) < 0.2, 0.5, (generator.random(120) < chance).astype(float))
    design = sm.add_constant(np.tanh(longer / longer.std()))
    reference = sm.GLM(scores, design, family=sm.families.Binomial()).fit(cov_type="HC0", tol=1e-12)
    low, high = reference.conf_int()[0]
    found = length_controlled(scores.tolist(), longer.tolist()).win_rate
    assert found is not None
    expected = [1 / (1 + np.exp(-value)) for value in (reference.params[0], low, high)]
    assert [found.value, found.low, found.high] == pytest.approx(expected, abs=1e-6)


@given(
    st.lists(st.tuples(st.sampled_from([0.0, 0.5, 1.0]), st.integers(-500, 500)), max_size=40),
)
@example([(0.0, 3), (0.5, 2), (1.0, 3)])  # lengths that hardly differ: the interval covers everything
@example([(0.0, 1), (0.5, 0), (0.5, 1)])
def test_any_pairs_give_a_win_rate_or_a_reason(pairs: list[tuple[float, int]]) -> None:
    scores, longer = [score for score, _ in pairs], [float(length) for _, length in pairs]
    found = length_controlled(scores, longer)
    assert (found.win_rate is None) == bool(found.note)
    if found.win_rate is not None:
        assert 0 <= found.win_rate.low <= found.win_rate.value <= found.win_rate.high <= 1
        mirrored = length_controlled([1 - score for score in scores], [-length for length in longer]).win_rate
        assert mirrored is not None
        assert mirrored.value == pytest.approx(1 - found.win_rate.value, abs=1e-6)


def test_win_rate_needs_overlapping_outcomes_and_differing_lengths() -> None:
    assert "no curve" in length_controlled([1.0] * 20, [float(n) for n in range(20)]).note
    assert "no curve" in length_controlled([0.0] * 10 + [1.0] * 10, [float(n) for n in range(20)]).note
    assert "length difference is the same" in length_controlled([1.0, 0.0, 0.5], [7.0] * 3).note
    assert length_controlled([], []).win_rate is None
    even = length_controlled([0.5] * 8, [float(n) for n in range(8)]).win_rate
    assert even is not None
    assert even.value == pytest.approx(0.5)
