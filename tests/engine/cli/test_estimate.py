"""The estimate: its published fields, and its figures against the contract's formulas reckoned here."""

import math
from pathlib import Path
from typing import Any

import pytest

from engine.economics.prices import find_prices
from engine.project import Project
from engine.records.cost import CostInputs
from tests.engine.cli.calling import fail, get, succeed
from tests.engine.cli.shapes import ESTIMATE, assert_shape

PROMPT = "You answer for a bank. " + "Stay calm and say what to do next. " * 150
MODELS = ("gpt-5", "claude-sonnet-4-5", "mistral-large-latest")  # a cache discount; a write price beside it; neither
GIVEN: dict[str, float] = {
    "requests-per-day": 5000, "question-tokens": 40, "answer-tokens": 200, "cache-hit-rate": 0.9, "one-time-usd": 75,
    "distilled-input-usd-per-mtok": 0.05, "distilled-output-usd-per-mtok": 0.2, "retrainings-per-year": 4,
}  # fmt: skip


@pytest.fixture
def prompt(tmp_path: Path) -> Path:
    path = tmp_path / "prompt.md"
    path.write_text(PROMPT)
    return path


def words_of(prompt: Path | str, model: str, given: dict[str, float]) -> tuple[str, ...]:
    options = (word for name, value in given.items() for word in (f"--{name}", str(value)))
    return ("estimate", "--prompt", str(prompt), "--model", model, *options)


def reckoned(tokens: int, model: str, given: dict[str, float]) -> dict[str, Any]:
    """The figures by the formulas as the contract writes them, in plain floats."""
    prices = find_prices(model)
    assert prices is not None
    i, c, o = prices.input_usd_per_mtok, prices.cached_input_usd_per_mtok, prices.output_usd_per_mtok
    miss = i if prices.cache_write_usd_per_mtok is None else prices.cache_write_usd_per_mtok
    p, q, a, h = tokens, given["question-tokens"], given["answer-tokens"], given["cache-hit-rate"]
    prompted = ((p + q) * i + a * o) / 1e6
    cached = (p * (h * c + (1 - h) * miss) + q * i + a * o) / 1e6
    distilled = (q * given["distilled-input-usd-per-mtok"] + a * given["distilled-output-usd-per-mtok"]) / 1e6
    once, daily = given["one-time-usd"], given["requests-per-day"]
    saved = {"uncached": prompted - distilled, "cached": cached - distilled}
    requests = {case: math.ceil(once / each - 1e-9) if each > 0 else None for case, each in saved.items()}
    return {
        "per_request_usd": {"prompted": prompted, "prompted_cached": cached, "distilled": distilled},
        "break_even_requests": requests,
        "break_even_days": {
            case: count / daily if count is not None and daily else None for case, count in requests.items()
        },
        "yearly_savings_usd": {
            case: each * daily * 365 - once * (1 + given["retrainings-per-year"]) for case, each in saved.items()
        },
    }


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    "change",
    [
        {},
        {"cache-hit-rate": 0},
        {"cache-hit-rate": 1},
        {"requests-per-day": 0},
        {"requests-per-day": 12.5, "question-tokens": 0, "answer-tokens": 0.5},
        {"one-time-usd": 0, "retrainings-per-year": 0},
        {"distilled-output-usd-per-mtok": 500},
    ],
    ids=str,
)
def test_the_figures_are_the_formulas_of_the_contract(prompt: Path, model: str, change: dict[str, float]) -> None:
    given = GIVEN | change
    data = get(*words_of(prompt, model, given))
    assert_shape(data, ESTIMATE)
    for name, figures in reckoned(data["tokens"]["prompt"], model, given).items():
        for key, value in figures.items():
            if value is None:
                assert data[name][key] is None, f"{name}.{key}"
            else:
                assert data[name][key] == pytest.approx(value, rel=1e-9, abs=1e-12), f"{name}.{key}"
    once = data["one_time_usd"]
    assert once["low"] <= once["value"] == given["one-time-usd"] <= once["high"]
    saved = data["yearly_savings_usd"]
    assert data["verdict"] == (
        "worth_it" if saved["cached"] > 0 else "only_without_cache" if saved["uncached"] > 0 else "not_worth_it"
    )
    assert data["reasons"]
    assert all(data["reasons"])


def test_every_verdict_comes_as_text_too(prompt: Path) -> None:
    seen = set()
    for change in (
        {},
        {"cache-hit-rate": 1, "question-tokens": 0, "answer-tokens": 1, "distilled-output-usd-per-mtok": 600},
        {"one-time-usd": 10_000_000},
    ):
        words = words_of(prompt, "gpt-5", GIVEN | change)
        data, text = get(*words), succeed(*words).out
        assert data["verdict"].replace("_", " ") in text
        assert all(reason in text for reason in data["reasons"])
        seen.add(data["verdict"])
    assert seen == {"worth_it", "only_without_cache", "not_worth_it"}


def test_where_it_never_breaks_even_the_numbers_are_null(prompt: Path) -> None:
    data = get(*words_of(prompt, "gpt-5", GIVEN | {"distilled-output-usd-per-mtok": 500}))
    assert data["break_even_requests"] == data["break_even_days"] == {"uncached": None, "cached": None}


def test_tokens_are_exact_where_the_vocabulary_is_known_and_an_estimate_elsewhere() -> None:
    words = ("estimate", "--prompt", "-", "--requests-per-day", "1", "--model")
    exact = get(*words, "gpt-5", input="hello world")
    assert exact["tokens"] == {"prompt": 2, "tokenizer": "o200k_base", "exact": True}
    assert get(*words, "gpt-4", input="hello world")["tokens"]["tokenizer"] == "cl100k_base"
    guessed = get(*words, "claude-sonnet-4-5", input="hello world")
    assert guessed["tokens"] == {"prompt": 3, "tokenizer": "by length", "exact": False}
    assert any("estimate" in reason for reason in guessed["reasons"])


def test_without_a_file_the_projects_prompt_is_meant(begun: Path, prompt: Path) -> None:
    words = ("estimate", "--model", "gpt-5", "--requests-per-day", "1")
    own = get(*words)["tokens"]["prompt"]
    assert get(*words, "--prompt", prompt)["tokens"]["prompt"] > own > 0


def test_a_file_needs_no_project(prompt: Path, private_home: Path) -> None:
    succeed(*words_of(prompt, "gpt-5", GIVEN))
    assert not private_home.exists()


def test_a_project_without_prompt_is_told_to_set_one(home: object) -> None:
    succeed("new", "empty")
    assert "prompt set" in fail("estimate", "--model", "gpt-5", "--requests-per-day", "1")["next"]


def test_a_model_without_known_prices_is_refused_not_guessed(prompt: Path) -> None:
    assert "no-such-model" in fail(*words_of(prompt, "no-such-model", GIVEN))["message"]


@pytest.mark.parametrize("name", list(GIVEN))
@pytest.mark.parametrize("value", ["-1", "nan", "inf", "-inf", "many", ""])
def test_a_number_that_means_nothing_is_refused_by_name(prompt: Path, name: str, value: str) -> None:
    words = words_of(prompt, "gpt-5", GIVEN)
    error = fail(*words, f"--{name}={value}")
    assert name.replace("-", " ").split()[0] in error["message"].replace("-", " ")


def test_a_share_above_one_is_refused(prompt: Path) -> None:
    fail(*words_of(prompt, "gpt-5", GIVEN | {"cache-hit-rate": 1.01}))


@pytest.mark.parametrize("missing", ["--model", "--requests-per-day"])
def test_what_has_to_be_said_is_asked_for(missing: str) -> None:
    words = {"--model": "gpt-5", "--requests-per-day": "1"}
    del words[missing]
    error = fail("estimate", "--prompt", "-", *next(iter(words.items())), input="A prompt.")
    assert missing in error["message"]


def test_for_the_projects_own_prompt_what_it_remembers_need_not_be_said(begun: Path) -> None:
    with Project.open(begun) as project:
        project.settings.write_cost(CostInputs("gpt-5", requests_per_day=5_000.0, output_usd_per_mtok=3.0), None)
    remembered = get("estimate")
    assert remembered["sources"]["requests_per_day"] == "given"
    assert remembered["sources"]["distilled_input_usd_per_mtok"].startswith("assumed: ")
    assert remembered["per_request_usd"] == get("estimate", "--model", "gpt-5")["per_request_usd"]
    said = get("estimate", "--requests-per-day", "10")
    assert said["break_even_requests"] == remembered["break_even_requests"]
    # The remembered price is the remembered model's, and no other's.
    assert "given" not in get("estimate", "--model", "gpt-4o")["sources"]["prices"]


def test_prices_that_no_list_has_can_be_given(prompt: Path) -> None:
    prices = {"input-usd-per-mtok": 2, "output-usd-per-mtok": 8}
    data = get(*words_of(prompt, "our-own", GIVEN | prices))
    tokens = data["tokens"]["prompt"]
    assert data["per_request_usd"]["prompted"] == pytest.approx(((tokens + 40) * 2 + 200 * 8) / 1e6)
    assert data["sources"]["prices"] == "given"


def test_ranges_and_another_provider_can_be_given_and_each_input_tells_its_origin(prompt: Path) -> None:
    words = words_of(prompt, "gpt-5", GIVEN)
    data = get(*words, "--range", "requests-per-day", "4000", "5000", "--provider", "azure", "--discount-rate", "0.1")
    asked = data["inputs"]["requests_per_day"]
    assert (asked["low"], asked["value"], asked["high"], asked["origin"]) == (4_000, 5_000, 5_000, "given")
    assert "azure" in data["inputs"]["input_usd_per_mtok"]["source"]
    assert data["inputs"]["input_usd_per_mtok"]["origin"] == "listed"
    assert data["horizon"] == {"months": 12, "discount_rate": 0.1}
    for span in ("month", "year", "horizon"):
        for case in ("uncached", "cached"):
            found = data["savings_usd"][span][case]
            assert found["low"] <= found["value"] <= found["high"]
    assert data["savings_usd"]["horizon"]["cached"]["value"] < data["yearly_savings_usd"]["cached"]
    assert data["latency"]["saved_ms"]["origin"] == "estimated"
    assert [each["name"] for each in data["criteria"]] == ["volume", "length", "stability", "sameness", "horizon"]
    assert "≈" in succeed(*words).out


def test_a_range_without_its_figure_is_refused(prompt: Path) -> None:
    words = words_of(prompt, "gpt-5", GIVEN)
    assert "GPU hours" in fail(*words, "--range", "gpu-hours", "1", "2")["message"]
    assert "between 5 and 2" in fail(*words, "--range", "requests-per-day", "5", "2")["message"]
    parts = words_of(prompt, "gpt-5", {name: value for name, value in GIVEN.items() if name != "one-time-usd"})
    assert "one-time cost" in fail(*parts, "--range", "one-time-usd", "50", "100")["message"]
    assert get(*parts, "--range", "gpu-hours", "1", "2")["inputs"]["gpu_hours"]["high"] == 2


def test_a_part_of_the_one_time_cost_stands_against_a_remembered_whole(begun: Path) -> None:
    with Project.open(begun) as project:
        project.settings.write_cost(CostInputs("gpt-5", one_time_usd=60.0), None)
    assert get("estimate")["one_time_usd"]["value"] == 60
    data = get("estimate", "--generation-usd", "5", "--gpu-hours", "2", "--gpu-usd-per-hour", "3")
    assert data["one_time_usd"]["value"] == pytest.approx(11)
