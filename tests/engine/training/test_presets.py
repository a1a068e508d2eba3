"""Presets: values within the recipe's ranges, memory that fits, fewer epochs for more data, a reason per value."""

from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.demo import FULL
from engine.errors import TrainingError
from engine.records.run import Objective, TrainingConfig
from engine.training.costs import RowTokens, longest_pass_tokens
from engine.training.peak import TrainingFacts, memory_mb, peak_mb
from engine.training.presets import (
    CHOSEN,
    Choice,
    Preset,
    Reason,
    choice_json,
    choice_text,
    choose,
    supported_objective,
)
from tests.engine.training.estimate_facts import FACTS, LARGE, REQUESTED, STARTER, TOKENS

SECOND_STAGE = {"on_policy_batch_rows", "on_policy_learning_rate"}

presets = st.sampled_from(get_args(Preset))
facts = st.builds(
    TrainingFacts,
    rows=st.integers(1, 200_000),
    tokens=st.builds(
        RowTokens,
        question=st.just(20.0),
        answer=st.just(10.0),
        longest=st.integers(2, 32_000),
        longest_answer=st.just(1),
        prompt=st.integers(0, 8_000),
    ),
    own_rows=st.sampled_from([0, 1, 10_000]),
    shapes=st.sampled_from([None, STARTER, LARGE]),
    free_mb=st.none() | st.floats(1.0, 1e6),
    number_bytes=st.sampled_from([2, 4]),
    on_gpu=st.booleans(),
    scored_tokens=st.sampled_from([0, 9]),
)


def reason_for(choice: Choice, name: str) -> Reason:
    return next(reason for reason in choice.reasons if reason.name == name)


@given(presets, facts)
def test_every_value_is_within_the_recipes_range_and_has_a_reason(preset: Preset, facts: TrainingFacts) -> None:
    choice = choose(preset, facts, REQUESTED)
    config = choice.config
    rank, rate, epochs, batch = (
        ((16, 32), (5e-4, 1e-3), (1.5, 6.0), (8, 8)) if facts.small else ((32, 64), (1e-4, 2e-4), (2.0, 4.0), (16, 128))
    )
    assert rank[0] <= config.lora_rank <= rank[1]
    assert config.lora_alpha == 2 * config.lora_rank
    assert rate[0] <= config.learning_rate <= rate[1]
    assert epochs[0] <= config.epochs <= epochs[1]
    assert min(batch[0], facts.rows) <= config.batch_rows <= batch[1]
    assert facts.small or config.batch_rows <= 32 or facts.rows >= 2_000
    assert 0.03 <= config.warmup_fraction <= 0.1
    assert 20 <= config.top_k <= 256
    assert 0 < config.cross_entropy_weight < 1
    assert 1 <= config.micro_batch_rows <= config.batch_rows <= facts.rows
    assert 1 <= config.evaluations <= max(1, round(config.epochs * -(-facts.rows // config.batch_rows)))
    chosen = CHOSEN - (SECOND_STAGE if not config.on_policy_steps else set())
    if not facts.scored_tokens:
        chosen -= {"cross_entropy_weight"}
    assert {reason.name for reason in choice.reasons} == chosen
    assert len(choice.reasons) == len(chosen)
    if config.on_policy_steps:
        assert facts.own_rows
        assert config.epochs >= 2
        assert 50 <= config.on_policy_steps <= 100
        assert 1e-5 <= config.on_policy_learning_rate <= 5e-5
    assert config.general_fraction == 0 or 0.05 <= config.general_fraction <= 0.2
    for reason in choice.reasons:
        value = getattr(config, reason.name)
        assert reason.value == (f"{value:g}" if isinstance(value, float) else str(value))
        assert reason.why
        assert reason.why in choice_text(choice)
    unchosen = {name: getattr(REQUESTED, name) for name in REQUESTED.__slots__ if name not in chosen}
    assert {name: getattr(config, name) for name in unchosen} == unchosen


@given(presets, facts, st.integers(1, 200_000))
def test_more_data_never_means_more_epochs(preset: Preset, facts: TrainingFacts, rows: int) -> None:
    fewer, more = sorted((rows, facts.rows))
    assert (
        choose(preset, replace(facts, rows=more), REQUESTED).config.epochs
        <= choose(preset, replace(facts, rows=fewer), REQUESTED).config.epochs
    )


@given(presets, facts)
def test_choice_fits_in_memory_or_is_refused(preset: Preset, facts: TrainingFacts) -> None:
    choice = choose(preset, facts, REQUESTED)
    if choice.memory_mb is None or facts.free_mb is None:
        assert choice.require_fit() is choice
        return
    assert choice.memory_mb == peak_mb(choice.config, facts)
    if choice.config.micro_batch_rows > 1:
        assert choice.memory_mb <= 0.9 * facts.free_mb
    if choice.fits:
        assert choice.memory_mb <= facts.free_mb
    else:
        assert choice.config.micro_batch_rows == 1
        with pytest.raises(TrainingError, match="not enough free memory"):
            choice.require_fit()
        assert "does not fit" in choice_text(choice)


@given(presets, facts, st.floats(1.0, 1e6))
def test_more_memory_never_means_fewer_rows_per_pass(preset: Preset, facts: TrainingFacts, free_mb: float) -> None:
    less, more = sorted((free_mb, facts.free_mb or free_mb))
    passes = [choose(preset, replace(facts, free_mb=free), REQUESTED).config.micro_batch_rows for free in (less, more)]
    assert passes == sorted(passes)


def test_given_options_take_precedence_and_the_rest_adapts() -> None:
    requested = replace(REQUESTED, epochs=9.0, lora_rank=5, batch_rows=4, objective="cross_entropy")
    choice = choose("best", FACTS, requested, {"epochs", "lora_rank", "batch_rows", "objective", "detach"})
    config = choice.config
    assert (config.epochs, config.lora_rank, config.lora_alpha, config.batch_rows) == (9.0, 5, 10, 4)
    assert config.objective == "cross_entropy"
    assert config.micro_batch_rows <= 4
    given = {reason.name for reason in choice.reasons if reason.why == "your value"}
    assert given == {"epochs", "lora_rank", "batch_rows", "objective"}


def test_full_fine_tuning_gets_a_tenth_of_the_learning_rate_and_no_rank() -> None:
    full = choose("balanced", FACTS, replace(REQUESTED, adapter="full"))
    lora = choose("balanced", FACTS, REQUESTED)
    assert full.config.learning_rate == pytest.approx(lora.config.learning_rate / 10)
    assert CHOSEN - {reason.name for reason in full.reasons} == {"lora_rank", "lora_alpha", *SECOND_STAGE}
    assert (full.memory_mb or 0) > (lora.memory_mb or 0)


def test_starter_gets_the_values_that_the_demo_uses() -> None:
    config = choose("fast", replace(FACTS, rows=2_000), REQUESTED).config
    tuned = FULL.training
    assert isinstance(tuned, TrainingConfig)
    assert (config.epochs, config.learning_rate, config.lora_rank, config.batch_rows, config.cross_entropy_weight) == (
        tuned.epochs, tuned.learning_rate, tuned.lora_rank, tuned.batch_rows, tuned.cross_entropy_weight,
    )  # fmt: skip


def test_slower_presets_have_more_epochs_rank_top_k_and_evaluations() -> None:
    for shapes in (STARTER, LARGE):
        configs = [choose(preset, replace(FACTS, shapes=shapes), REQUESTED).config for preset in get_args(Preset)]
        for name in ("epochs", "lora_rank", "top_k", "evaluations"):
            values = [getattr(config, name) for config in configs]
            assert values == sorted(values)
            assert values[0] < values[-1]


def test_four_bits_are_suggested_only_if_nothing_else_fits_on_the_gpu() -> None:
    # 7.8B weights in layers: 15.6 GB in bfloat16; 4.0 GB in four bits, with the widest layer in full beside them and
    # 2.5 more bytes per activation of a layer for the backward pass.
    gpu = TrainingFacts(
        rows=600, tokens=TOKENS, own_rows=0, shapes=LARGE, free_mb=12_000.0, number_bytes=2, on_gpu=True
    )
    choice = choose("fast", gpu, REQUESTED)
    assert choice.config.quantize_base == "none"
    assert choice.quantized_mb is not None
    in_four_bits = memory_mb(replace(choice.config, quantize_base="nf4"), gpu)
    assert in_four_bits == choice.quantized_mb
    plain = memory_mb(choice.config, gpu)
    assert plain is not None
    numbers = longest_pass_tokens(choice.config, TOKENS) * sum(map(sum, LARGE.linear)) / 1e6
    assert plain - choice.quantized_mb == pytest.approx(15_569 - 4_018 - 2 * 58.7 - 2.5 * numbers, rel=0.001)
    assert "--quantize-base nf4" in choice_text(choice)
    assert choice_json(choice)["quantized_mb"] == choice.quantized_mb
    with pytest.raises(TrainingError, match="--quantize-base nf4"):
        choice.require_fit()
    for other in (replace(gpu, free_mb=40_000.0), replace(gpu, free_mb=3_000.0), replace(gpu, on_gpu=False)):
        assert choose("fast", other, REQUESTED).quantized_mb is None
    chosen = choose("fast", gpu, replace(REQUESTED, quantize_base="nf4"), {"quantize_base"})
    assert chosen.require_fit().config.quantize_base == "nf4"


def test_json_holds_the_same_choice() -> None:
    choice = choose("balanced", FACTS, REQUESTED)
    data = choice_json(choice)
    assert data["config"] == {name: getattr(choice.config, name) for name in choice.config.__slots__}
    assert isinstance(data["reasons"], list)
    assert [reason["name"] for reason in data["reasons"]] == [reason.name for reason in choice.reasons]
    assert data["fits"] is True


def test_second_stage_alone_gets_as_many_evaluations_as_a_first() -> None:
    requested = replace(REQUESTED, epochs=0.0, on_policy_steps=50)
    config = choose("balanced", FACTS, requested, {"epochs", "on_policy_steps"}).config
    assert (config.epochs, config.evaluations) == (0.0, choose("balanced", FACTS, REQUESTED).config.evaluations)


def test_second_stage_is_chosen_only_after_a_long_enough_first_stage() -> None:
    facts = replace(FACTS, shapes=LARGE)
    reasons = {preset: reason_for(choose(preset, facts, REQUESTED), "on_policy_steps") for preset in get_args(Preset)}
    assert (reasons["fast"].value, reasons["balanced"].value, reasons["best"].value) == ("0", "0", "50")
    short = choose("best", facts, replace(REQUESTED, epochs=1.0), {"epochs"})
    assert short.config.on_policy_steps == short.config.prompt_back_weight == 0
    assert "answers are cut off" in reason_for(short, "on_policy_steps").why
    assert "75 to 88 %" in reason_for(short, "on_policy_steps").basis
    requested = choose("fast", FACTS, replace(REQUESTED, epochs=1.0, on_policy_steps=9), {"epochs", "on_policy_steps"})
    assert requested.config.on_policy_steps == 9
    assert reason_for(requested, "on_policy_steps").why.startswith("your value, but after a first stage under 2 epochs")
    assert requested.config.prompt_back_weight > 0
    foreign = choose("best", replace(facts, own_rows=0), REQUESTED)
    assert foreign.config.on_policy_steps == 0
    assert "nothing to ask" in reason_for(foreign, "on_policy_steps").why
    few = choose("best", replace(facts, own_rows=5), REQUESTED)
    assert few.config.on_policy_batch_rows == 5


def test_single_row_that_does_not_fit_gets_recomputed_layers_before_it_is_refused() -> None:
    shapes = replace(LARGE, layers=32)
    facts = replace(FACTS, shapes=shapes, tokens=replace(TOKENS, longest=4_000), number_bytes=2)
    one = choose("balanced", replace(facts, free_mb=1.0), REQUESTED).config
    assert one.micro_batch_rows == 1
    whole = memory_mb(one, facts) or 0.0
    least = memory_mb(one, facts, recomputed=True) or 0.0
    assert least < 0.8 * whole
    choice = choose("balanced", replace(facts, free_mb=(whole + least) / 2), REQUESTED)
    assert choice.fits
    assert choice.memory_mb == pytest.approx(least)
    assert "layers computed twice" in next(r.why for r in choice.reasons if r.name == "micro_batch_rows")
    assert not choose("balanced", replace(facts, free_mb=0.9 * least), REQUESTED).fits


def test_objective_is_cross_entropy_if_no_answer_is_the_bases_own() -> None:
    foreign = replace(FACTS, own_rows=0, scored_tokens=0)
    for preset in get_args(Preset):
        choice = choose(preset, foreign, REQUESTED)
        assert choice.config.objective == "cross_entropy"
        assert "no training answer comes from the prompted base" in reason_for(choice, "objective").why
        assert choose(preset, replace(foreign, scored_tokens=1), REQUESTED).config.objective == "mix"
    assert supported_objective(REQUESTED, foreign).objective == "cross_entropy"
    assert supported_objective(REQUESTED, FACTS, {"objective"}) == REQUESTED
    given = replace(REQUESTED, objective="cross_entropy")
    assert choose("balanced", foreign, given, {"objective"}).config.objective == "cross_entropy"


@pytest.mark.parametrize("objective", ["mix", "forward_kl"])
def test_given_objective_that_cannot_be_trained_is_refused(objective: Objective) -> None:
    foreign, given = replace(FACTS, own_rows=0, scored_tokens=0), replace(REQUESTED, objective=objective)
    with pytest.raises(TrainingError) as refused:
        choose("balanced", foreign, given, {"objective"})
    assert f"with the objective {objective}" in refused.value.title
    assert "the cross-entropy objective" in refused.value.next
