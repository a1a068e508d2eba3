"""`estimate`: its published fields, and its figures against the published formulas, computed here independently."""

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
MODELS = (
    "gpt-5",
    "claude-sonnet-4-5",
    "mistral-large-latest",
)  # cache discount; also write price; neither
GIVEN: dict[str, float] = {
    "requests-per-day": 5000, "question-tokens": 40, "answer-tokens": 200, "cache-hit-rate": 0.9, "one-time-usd": 75,
    "distilled-input-usd-per-mtok": 0.05, "distilled-output-usd-per-mtok": 0.2, "retrainings-per-year": 4,
}  # fmt: skip


@pytest.fixture
def prompt(tmp_path: Path) -> Path:
    path = tmp_path / "prompt.md"
    path.write_text(PROMPT)
    return path


def args_for(prompt: Path | str, model: str, given: dict[str, float]) -> tuple[str, ...]:
    options = (word for name, value in given.items() for word in (f"--{name}", str(value)))
    return ("estimate", "--prompt", str(prompt), "--model", model, *options)


def expected_figures(tokens: int, model: str, given: dict[str, float]) -> dict[str, Any]:
    """The figures by the published formulas, in plain floats."""
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
def test_figures_match_the_published_formulas(prompt: Path, model: str, change: dict[str, float]) -> None:
    given = GIVEN | change
    data = get(*args_for(prompt, model, given))
    assert_shape(data, ESTIMATE)
    for name, figures in expected_figures(data["tokens"]["prompt"], model, given).items():
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


def test_every_verdict_is_printed_as_text(prompt: Path) -> None:
    seen = set()
    for change in (
        {},
        {"cache-hit-rate": 1, "question-tokens": 0, "answer-tokens": 1, "distilled-output-usd-per-mtok": 600},
        {"one-time-usd": 10_000_000},
    ):
        args = args_for(prompt, "gpt-5", GIVEN | change)
        data, text = get(*args), succeed(*args).out
        assert data["verdict"].replace("_", " ") in text
        assert all(reason in text for reason in data["reasons"])
        seen.add(data["verdict"])
    assert seen == {"worth_it", "only_without_cache", "not_worth_it"}


def test_break_even_is_null_if_never_reached(prompt: Path) -> None:
    data = get(*args_for(prompt, "gpt-5", GIVEN | {"distilled-output-usd-per-mtok": 500}))
    assert data["break_even_requests"] == data["break_even_days"] == {"uncached": None, "cached": None}


def test_token_count_is_exact_only_for_known_vocabularies() -> None:
    args = ("estimate", "--prompt", "-", "--requests-per-day", "1", "--model")
    exact = get(*args, "gpt-5", input="hello world")
    assert exact["tokens"] == {"prompt": 2, "tokenizer": "o200k_base", "exact": True}
    assert get(*args, "gpt-4", input="hello world")["tokens"]["tokenizer"] == "cl100k_base"
    estimated = get(*args, "claude-sonnet-4-5", input="hello world")
    assert estimated["tokens"] == {"prompt": 3, "tokenizer": "by length", "exact": False}
    assert any("estimate" in reason for reason in estimated["reasons"])


def test_prompt_defaults_to_that_of_the_project(new_project: Path, prompt: Path) -> None:
    args = ("estimate", "--model", "gpt-5", "--requests-per-day", "1")
    own = get(*args)["tokens"]["prompt"]
    assert get(*args, "--prompt", prompt)["tokens"]["prompt"] > own > 0


def test_prompt_file_needs_no_project(prompt: Path, private_home: Path) -> None:
    succeed(*args_for(prompt, "gpt-5", GIVEN))
    assert not private_home.exists()


def test_project_without_a_prompt_is_refused(home: object) -> None:
    succeed("new", "empty")
    assert "prompt set" in fail("estimate", "--model", "gpt-5", "--requests-per-day", "1")["next"]


def test_model_without_known_prices_is_refused(prompt: Path) -> None:
    assert "no-such-model" in fail(*args_for(prompt, "no-such-model", GIVEN))["message"]


@pytest.mark.parametrize("name", list(GIVEN))
@pytest.mark.parametrize("value", ["-1", "nan", "inf", "-inf", "many", ""])
def test_invalid_number_is_refused_by_option_name(prompt: Path, name: str, value: str) -> None:
    args = args_for(prompt, "gpt-5", GIVEN)
    error = fail(*args, f"--{name}={value}")
    assert name.replace("-", " ").split()[0] in error["message"].replace("-", " ")


def test_cache_hit_rate_above_one_is_refused(prompt: Path) -> None:
    fail(*args_for(prompt, "gpt-5", GIVEN | {"cache-hit-rate": 1.01}))


@pytest.mark.parametrize("missing", ["--model", "--requests-per-day"])
def test_missing_required_option_is_named(missing: str) -> None:
    options = {"--model": "gpt-5", "--requests-per-day": "1"}
    del options[missing]
    error = fail("estimate", "--prompt", "-", *next(iter(options.items())), input="A prompt.")
    assert missing in error["message"]


def test_stored_cost_inputs_are_the_defaults(new_project: Path) -> None:
    with Project.open(new_project) as project:
        project.settings.write_cost(CostInputs("gpt-5", requests_per_day=5_000.0, output_usd_per_mtok=3.0), None)
    default = get("estimate")
    assert default["sources"]["requests_per_day"] == "given"
    assert default["sources"]["distilled_input_usd_per_mtok"].startswith("assumed: ")
    assert default["per_request_usd"] == get("estimate", "--model", "gpt-5")["per_request_usd"]
    fewer_requests = get("estimate", "--requests-per-day", "10")
    assert fewer_requests["break_even_requests"] == default["break_even_requests"]
    # The stored price applies only to the stored model.
    assert "given" not in get("estimate", "--model", "gpt-4o")["sources"]["prices"]


def test_prices_can_be_given_for_an_unlisted_model(prompt: Path) -> None:
    prices = {"input-usd-per-mtok": 2, "output-usd-per-mtok": 8}
    data = get(*args_for(prompt, "our-own", GIVEN | prices))
    tokens = data["tokens"]["prompt"]
    assert data["per_request_usd"]["prompted"] == pytest.approx(((tokens + 40) * 2 + 200 * 8) / 1e6)
    assert data["sources"]["prices"] == "given"


def test_ranges_and_provider_are_used_and_inputs_name_their_origin(prompt: Path) -> None:
    args = args_for(prompt, "gpt-5", GIVEN)
    data = get(*args, "--range", "requests-per-day", "4000", "5000", "--provider", "azure", "--discount-rate", "0.1")
    requests = data["inputs"]["requests_per_day"]
    assert (requests["low"], requests["value"], requests["high"], requests["origin"]) == (4_000, 5_000, 5_000, "given")
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
    assert "≈" in succeed(*args).out


def test_range_without_its_value_is_refused(prompt: Path) -> None:
    args = args_for(prompt, "gpt-5", GIVEN)
    assert "GPU hours" in fail(*args, "--range", "gpu-hours", "1", "2")["message"]
    assert "between 5 and 2" in fail(*args, "--range", "requests-per-day", "5", "2")["message"]
    parts = args_for(prompt, "gpt-5", {name: value for name, value in GIVEN.items() if name != "one-time-usd"})
    assert "one-time cost" in fail(*parts, "--range", "one-time-usd", "50", "100")["message"]
    assert get(*parts, "--range", "gpu-hours", "1", "2")["inputs"]["gpu_hours"]["high"] == 2


def test_parts_of_the_one_time_cost_override_a_stored_total(new_project: Path) -> None:
    with Project.open(new_project) as project:
        project.settings.write_cost(CostInputs("gpt-5", one_time_usd=60.0), None)
    assert get("estimate")["one_time_usd"]["value"] == 60
    data = get("estimate", "--generation-usd", "5", "--gpu-hours", "2", "--gpu-usd-per-hour", "3")
    assert data["one_time_usd"]["value"] == pytest.approx(11)
