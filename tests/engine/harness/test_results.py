"""Results of lm-eval: a recorded file, malformed files, and how differences are judged and reported."""

import copy
import json
import math
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.errors import JobError
from engine.evaluation.harness_json import harness_json
from engine.evaluation.statistics import task_outcome
from engine.harness.results import find_results, read_results, side_by_side
from engine.records.harness import HarnessResult, Score, TaskScore
from engine.reports.document import Table
from engine.reports.harness import harness_section
from tests.engine.harness.lm_eval_output import GROUP

SHARES = st.floats(0, 1)
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*GROUP, "t", "acc,none", "acc_stderr,none", "effective"]), inner, max_size=4)
    ),
)


def write_json(path: Path, data: object) -> Path:
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


def test_recorded_file_is_read_completely(tmp_path: Path) -> None:
    found = read_results(write_json(tmp_path / "results.json", GROUP))
    assert found.version == "0.4.13"
    assert found.scores == {
        ("ifeval", "prompt_level_strict_acc", "none"): Score(0.31, 0.0465),
        ("ifeval", "inst_level_loose_acc", "none"): Score(0.45, None),
        ("mmlu_stem", "acc", "none"): Score(0.25, 0.03),
        ("mmlu_anatomy", "acc", "none"): Score(0.24, 0.043),
    }
    asked = {score.task: (score.asked, score.questions) for score in side_by_side(found, found)}
    assert asked == {"ifeval": (True, 100), "mmlu_stem": (True, None), "mmlu_anatomy": (False, 100)}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ANY | st.fixed_dictionaries(dict.fromkeys(GROUP, ANY)))
def test_any_json_file_is_read_or_refused(tmp_path: Path, data: object) -> None:
    try:
        found = read_results(write_json(tmp_path / "results.json", data))
    except JobError:
        return
    assert all(math.isfinite(score.value) for score in found.scores.values())
    assert side_by_side(found, found)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"results": {"t": {"acc,none": NaN}}}', "[" * 100_000])
def test_file_without_a_score_is_refused_by_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "results.json"
    path.write_text(text)
    with pytest.raises(JobError, match=r"results\.json"):
        read_results(path)


@pytest.mark.parametrize("digits", [400, 5_000])
def test_number_too_large_for_a_float_is_refused(tmp_path: Path, digits: int) -> None:
    path = tmp_path / "results.json"
    path.write_text(f'{{"results": {{"t": {{"acc,none": {"9" * digits}}}}}}}')
    with pytest.raises(JobError, match=r"results\.json"):
        read_results(path)


def test_newest_file_in_the_models_folder_is_found(tmp_path: Path) -> None:
    assert find_results(tmp_path / "none") is None
    for name in ("results_2026-01-01T00-00-00.json", "results_2026-01-02T00-00-00.json"):
        (tmp_path / "__model").mkdir(exist_ok=True)
        write_json(tmp_path / "__model" / name, GROUP)
    found = find_results(tmp_path)
    assert found is not None
    assert found.name == "results_2026-01-02T00-00-00.json"


def test_results_without_a_common_metric_are_refused(tmp_path: Path) -> None:
    other = copy.deepcopy(GROUP)
    other["results"] = {"else": {"f1,none": 0.5}}
    base, released = (read_results(write_json(tmp_path / "r.json", data)) for data in (GROUP, other))
    with pytest.raises(JobError, match="no metric in common"):
        side_by_side(base, released)


@given(base=SHARES, released=SHARES, errors=st.tuples(SHARES, SHARES), higher=st.booleans())
def test_outcome_needs_a_difference_beyond_its_error_in_the_metrics_direction(
    base: float, released: float, errors: tuple[float, float], higher: bool
) -> None:
    found = task_outcome(TaskScore("t", "m", "none", Score(base, errors[0]), Score(released, errors[1]), higher))
    reversed_outcome = task_outcome(
        TaskScore("t", "m", "none", Score(base, errors[0]), Score(released, errors[1]), not higher)
    )
    gain = (released - base) if higher else (base - released)
    bound = 1.959964 * math.sqrt(errors[0] ** 2 + errors[1] ** 2)
    if abs(abs(gain) - bound) > 1e-9:
        assert found == ("undecided" if abs(gain) < bound else "better" if gain > 0 else "worse")
    assert {found, reversed_outcome} in ({"undecided"}, {"better", "worse"})
    assert task_outcome(TaskScore("t", "m", "none", Score(base), Score(released, errors[1]), higher)) == "undecided"


def test_report_shows_base_and_release_side_by_side_and_folds_subtasks(tmp_path: Path) -> None:
    base = read_results(write_json(tmp_path / "b.json", GROUP))
    worse = copy.deepcopy(GROUP)
    worse["results"]["mmlu_stem"]["acc,none"] = 0.1
    scores = side_by_side(base, read_results(write_json(tmp_path / "r.json", worse)))
    result = HarnessResult(1, 1, 2, "f" * 64, ("ifeval", "mmlu_stem"), 100, None, True, scores, "0.4.13", 9.0)
    tasks, subtasks = (block for block in harness_section((result,)).blocks if isinstance(block, Table))
    assert [row.cells[0] for row in tasks.rows] == ["ifeval", "ifeval", "mmlu_stem"]
    assert tasks.rows[2].cells[3:] == (
        "0.250\u00a0±\u00a00.030", "0.100\u00a0±\u00a00.030", "−0.150\u00a0±\u00a00.042", "worse",
    )  # fmt: skip
    assert tasks.rows[2].strong
    assert tasks.rows[1].cells[5:] == ("0", "–")  # without a standard error no interval is shown
    assert subtasks.folded
    assert [row.cells[0] for row in subtasks.rows] == ["mmlu_anatomy"]
    (data,) = json.loads(json.dumps(harness_json((result,)), allow_nan=False))
    assert data["scores"][2]["difference"] == {"value": pytest.approx(-0.15), "stderr": pytest.approx(0.0424, abs=1e-4)}
    assert data["scores"][2]["outcome"] == "worse"
