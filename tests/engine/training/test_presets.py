"""Presets: within the recipe's ranges, never over the memory, never more epochs for more data, a reason a value."""

import os
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace
from typing import get_args

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.demo import FULL
from engine.errors import TrainingError
from engine.gpus import Gpu
from engine.jobs.devices import Holder, Ticket
from engine.model.shapes import Shapes
from engine.paths import Home
from engine.records.dataset import DatasetSummary
from engine.records.run import Objective, TrainingConfig
from engine.training.costs import RowTokens, longest_pass_tokens
from engine.training.facts import Basis, FreeMemory, free_memory
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

ASKED = TrainingConfig(base="b", device="cpu", seed=3)
SECOND_STAGE = {"on_policy_batch_rows", "on_policy_learning_rate"}


def llama(layers: int, hidden: int, inner: int, vocabulary: int) -> Shapes:
    """The shapes of a Llama whose output head is its table of tokens."""
    linear = ((hidden, hidden),) * 4 + ((hidden, inner),) * 2 + ((inner, hidden),)
    weights = layers * sum(inputs * outputs for inputs, outputs in linear) + vocabulary * hidden
    return Shapes(linear * layers, vocabulary, weights, 4 * weights, layers)


STARTER, LARGE = llama(30, 576, 1_536, 49_152), llama(32, 4_096, 14_336, 128_256)
TOKENS = RowTokens(question=30.0, answer=40.0, longest=120, longest_answer=80, prompt=400)
FACTS = TrainingFacts(
    rows=600, tokens=TOKENS, own_rows=600, shapes=STARTER, free_mb=8_000.0, number_bytes=4, scored_tokens=9
)
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


@given(presets, facts)
def test_every_value_is_within_the_recipes_ranges_and_has_its_reason(preset: Preset, facts: TrainingFacts) -> None:
    choice = choose(preset, facts, ASKED)
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
    unchosen = {name: getattr(ASKED, name) for name in ASKED.__slots__ if name not in chosen}
    assert {name: getattr(config, name) for name in unchosen} == unchosen


@given(presets, facts, st.integers(1, 200_000))
def test_more_data_never_means_more_epochs(preset: Preset, facts: TrainingFacts, rows: int) -> None:
    fewer, more = sorted((rows, facts.rows))
    assert (
        choose(preset, replace(facts, rows=more), ASKED).config.epochs
        <= choose(preset, replace(facts, rows=fewer), ASKED).config.epochs
    )


@given(presets, facts)
def test_memory_is_not_exceeded_or_the_preset_refuses(preset: Preset, facts: TrainingFacts) -> None:
    choice = choose(preset, facts, ASKED)
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
def test_more_memory_never_means_smaller_passes(preset: Preset, facts: TrainingFacts, free_mb: float) -> None:
    less, more = sorted((free_mb, facts.free_mb or free_mb))
    passes = [choose(preset, replace(facts, free_mb=free), ASKED).config.micro_batch_rows for free in (less, more)]
    assert passes == sorted(passes)


def test_what_is_said_wins_and_the_rest_follows_it() -> None:
    asked = replace(ASKED, epochs=9.0, lora_rank=5, batch_rows=4, objective="cross_entropy")
    choice = choose("best", FACTS, asked, {"epochs", "lora_rank", "batch_rows", "objective", "detach"})
    config = choice.config
    assert (config.epochs, config.lora_rank, config.lora_alpha, config.batch_rows) == (9.0, 5, 10, 4)
    assert config.objective == "cross_entropy"
    assert config.micro_batch_rows <= 4
    said = {reason.name for reason in choice.reasons if reason.why == "as you said"}
    assert said == {"epochs", "lora_rank", "batch_rows", "objective"}


def test_whole_layers_have_a_tenth_of_the_rate_and_no_rank() -> None:
    whole = choose("balanced", FACTS, replace(ASKED, adapter="full"))
    matrices = choose("balanced", FACTS, ASKED)
    assert whole.config.learning_rate == pytest.approx(matrices.config.learning_rate / 10)
    assert CHOSEN - {reason.name for reason in whole.reasons} == {"lora_rank", "lora_alpha", *SECOND_STAGE}
    assert (whole.memory_mb or 0) > (matrices.memory_mb or 0)


def test_the_starter_gets_what_the_demo_was_tuned_to() -> None:
    config = choose("fast", replace(FACTS, rows=2_000), ASKED).config
    tuned = FULL.training
    assert (config.epochs, config.learning_rate, config.lora_rank, config.batch_rows, config.cross_entropy_weight) == (
        tuned.epochs, tuned.learning_rate, tuned.lora_rank, tuned.batch_rows, tuned.cross_entropy_weight,
    )  # fmt: skip


def test_presets_take_more_time_for_more_quality() -> None:
    for shapes in (STARTER, LARGE):
        configs = [choose(preset, replace(FACTS, shapes=shapes), ASKED).config for preset in get_args(Preset)]
        for name in ("epochs", "lora_rank", "top_k", "evaluations"):
            values = [getattr(config, name) for config in configs]
            assert values == sorted(values)
            assert values[0] < values[-1]


def test_the_estimate_covers_what_was_measured_on_the_starter() -> None:
    # Peak of one forward and backward pass of 8 rows of 256 tokens, rank 16, no optimizer: 4.89 and 3.27 GB.
    passed = replace(ASKED, micro_batch_rows=8)
    for number_bytes, measured_mb in ((4, 1_692 + 1.563 * 2_048), (2, 1_385 + 0.918 * 2_048)):
        estimate = memory_mb(passed, replace(FACTS, tokens=replace(TOKENS, longest=256), number_bytes=number_bytes))
        assert estimate is not None
        assert measured_mb <= estimate <= 1.25 * measured_mb


def test_four_bits_are_suggested_only_where_a_gpu_holds_nothing_else() -> None:
    # 7.8B weights of layers: 15.6 GB in bfloat16, 4.0 GB in four bits with the widest layer in full beside them, and of
    # each number of a layer 2.5 bytes more for the backward pass.
    gpu = TrainingFacts(
        rows=600, tokens=TOKENS, own_rows=0, shapes=LARGE, free_mb=12_000.0, number_bytes=2, on_gpu=True
    )
    choice = choose("fast", gpu, ASKED)
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
        assert choose("fast", other, ASKED).quantized_mb is None
    chosen = choose("fast", gpu, replace(ASKED, quantize_base="nf4"), {"quantize_base"})
    assert chosen.require_fit().config.quantize_base == "nf4"


def test_programs_read_the_same() -> None:
    choice = choose("balanced", FACTS, ASKED)
    data = choice_json(choice)
    assert data["config"] == {name: getattr(choice.config, name) for name in choice.config.__slots__}
    assert [reason["name"] for reason in data["reasons"]] == [reason.name for reason in choice.reasons]
    assert data["fits"] is True


@pytest.mark.parametrize(
    ("device", "expected"),
    [
        ("auto", (40_000.0, True)),
        ("cuda", (40_000.0, True)),
        ("cuda:1", (9_000.0, True)),
        ("cuda:2", (None, True)),  # its memory is not told; the processor's says nothing of it
        ("cpu", (500.0, False)),
    ],
)
def test_memory_is_that_of_the_device(device: str, expected: tuple[float | None, bool]) -> None:
    assert FreeMemory(500.0, (Gpu(40_000.0), Gpu(9_000.0))).of(device) == expected


_HOLDING = """
import sys
from pathlib import Path
from engine.jobs.devices import Holder, Ticket
ticket = Ticket.draw(Path(sys.argv[1]), sys.argv[2], Holder(3, "train", "tone"))
held = bytearray(300_000_000)
print(len(held), flush=True)
input()
"""


def test_what_the_job_before_holds_is_free_for_the_run_that_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.training.facts.visible_gpus", lambda: ())
    home = Home.locate()
    with subprocess.Popen(
        [sys.executable, "-c", _HOLDING, str(home.state), "cpu"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        (held,) = free_memory(home).held
        process.communicate(b"\n")
    assert (held.device, held.holder) == ("cpu", "job 3 (train) of tone")
    assert 300 < held.mb < 400
    assert free_memory(home).held == (), "it has ended"
    mine = Ticket.draw(home.state, "cpu", Holder(4, "train", "tone"))
    assert free_memory(home).held == (), "what this process holds is no other's"
    mine.give_back()

    dataset = DatasetSummary(sha256="d", prompt_sha256="p", base="b", train=600, validation=60, created_at="")
    alone = Basis(dataset, shapes=STARTER, tokens=TOKENS, own_rows=600, free=FreeMemory(2_000.0, (Gpu(500.0),)))
    behind = replace(alone, free=FreeMemory(2_000.0, (Gpu(500.0),), (replace(held, mb=6_000.0),)))
    on_cpu = replace(ASKED, device="cpu")
    few, more = (choose("balanced", basis.facts(on_cpu), on_cpu) for basis in (alone, behind))
    assert few.config.micro_batch_rows < more.config.micro_batch_rows
    assert "of the 8.0 GB that is free once job 3 (train) of tone releases its memory" in choice_text(more)
    assert "releases" not in choice_text(few)
    assert behind.free is not None
    assert behind.free.of("cuda:0") == (500.0, True), "another device"


def test_on_a_gpu_it_is_what_the_driver_tells_of_the_holders_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    used = [(os.getppid(), 5_000_000_000), (os.getpid(), 7_000_000_000), (1, None)]
    monkeypatch.setattr("engine.training.facts.visible_gpus", lambda: (Gpu(1_000.0), Gpu(20_000.0)))
    monkeypatch.setattr("engine.gpus.visible_handles", lambda: [0, 1])
    monkeypatch.setattr(
        "pynvml.nvmlDeviceGetComputeRunningProcesses",
        lambda index: [SimpleNamespace(pid=pid, usedGpuMemory=mb) for pid, mb in used if index == 0],
    )
    holder = Holder(3, "serve", "tone", os.getppid())  # this process is a child of it, and counts with it
    monkeypatch.setattr("engine.training.facts.held_by", lambda _, device: holder if device == "cuda:0" else None)
    free = free_memory(Home.locate())
    assert (free.of("auto"), free.of("cuda:1")) == ((13_000.0, True), (20_000.0, True))


def test_a_gpu_that_only_emulates_bfloat16_is_reckoned_in_float32() -> None:
    dataset = DatasetSummary(sha256="d", prompt_sha256="p", base="b", train=600, validation=60, created_at="")
    free = FreeMemory(2_000.0, (Gpu(16_000.0, computes_bfloat16=False), Gpu(16_000.0)))
    basis = Basis(dataset, shapes=STARTER, tokens=TOKENS, free=free)
    asked = {device: replace(ASKED, device=device) for device in ("auto", "cuda", "cuda:0", "cuda:1", "cuda:2", "cpu")}
    found = {device: basis.facts(config).number_bytes for device, config in asked.items()}
    assert found == {"auto": 4, "cuda": 4, "cuda:0": 4, "cuda:1": 2, "cuda:2": 2, "cpu": 4}
    assert basis.facts(replace(ASKED, device="cuda", dtype="bfloat16")).number_bytes == 2


def test_without_a_gpu_memory_is_the_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.training.facts.visible_gpus", lambda: ())
    free = free_memory(Home.locate())
    assert free.of("cuda") == (None, True)
    for device in ("auto", "cpu"):
        free_mb, on_gpu = free.of(device)
        assert free_mb is not None
        assert 0 < free_mb <= psutil.virtual_memory().total / 1e6
        assert not on_gpu


def test_a_second_stage_alone_is_evaluated_as_often_as_a_first() -> None:
    asked = replace(ASKED, epochs=0.0, on_policy_steps=50)
    config = choose("balanced", FACTS, asked, {"epochs", "on_policy_steps"}).config
    assert (config.epochs, config.evaluations) == (0.0, choose("balanced", FACTS, ASKED).config.evaluations)


def test_a_second_stage_waits_for_a_first_that_makes_answers_end() -> None:
    facts = replace(FACTS, shapes=LARGE)
    reasons = {preset: _reason(choose(preset, facts, ASKED), "on_policy_steps") for preset in get_args(Preset)}
    assert (reasons["fast"].value, reasons["balanced"].value, reasons["best"].value) == ("0", "0", "50")
    short = choose("best", facts, replace(ASKED, epochs=1.0), {"epochs"})
    assert short.config.on_policy_steps == short.config.prompt_back_weight == 0
    assert "answers are cut off" in _reason(short, "on_policy_steps").why
    assert "75 to 88 %" in _reason(short, "on_policy_steps").basis
    asked = choose("fast", FACTS, replace(ASKED, epochs=1.0, on_policy_steps=9), {"epochs", "on_policy_steps"})
    assert asked.config.on_policy_steps == 9
    assert _reason(asked, "on_policy_steps").why.startswith("as you said, but after a first stage under 2 epochs")
    assert asked.config.prompt_back_weight > 0
    foreign = choose("best", replace(facts, own_rows=0), ASKED)
    assert foreign.config.on_policy_steps == 0
    assert "nothing to ask" in _reason(foreign, "on_policy_steps").why
    few = choose("best", replace(facts, own_rows=5), ASKED)
    assert few.config.on_policy_batch_rows == 5


@pytest.mark.parametrize("term", ["on_policy_steps", "general_fraction", "prompt_back_weight"])
def test_what_stands_beside_the_first_stage_needs_memory_too(term: str) -> None:
    facts = replace(FACTS, tokens=replace(TOKENS, longest=60, longest_answer=40, prompt=8_000))
    plain = memory_mb(ASKED, facts)
    more = memory_mb(replace(ASKED, **{term: 1 if term == "on_policy_steps" else 0.1}), facts)
    assert plain is not None
    assert more is not None
    assert more > plain


def _reason(choice: Choice, name: str) -> Reason:
    return next(reason for reason in choice.reasons if reason.name == name)


def test_a_sharded_base_takes_its_part_and_the_layers_that_a_pass_has_put_together() -> None:
    whole, two, many = (
        memory_mb(ASKED, replace(FACTS, shapes=LARGE, number_bytes=2, shards=shards)) or 0.0 for shards in (1, 2, 1_000)
    )
    layers_mb = 2 * sum(inputs * outputs for inputs, outputs in LARGE.linear) / 1e6
    assert whole - two == pytest.approx(layers_mb * (1 - 1 / 2 - 4 / 32))
    assert whole - many == pytest.approx(layers_mb * (1 - 1 / 1_000 - 4 / 32))
    one_layer = replace(LARGE, layers=1)
    assert memory_mb(ASKED, replace(FACTS, shapes=one_layer, number_bytes=2, shards=2)) == whole


def test_where_one_row_does_not_fit_its_layers_are_computed_twice_before_it_is_refused() -> None:
    shapes = replace(LARGE, layers=32)
    facts = replace(FACTS, shapes=shapes, tokens=replace(TOKENS, longest=4_000), number_bytes=2)
    one = choose("balanced", replace(facts, free_mb=1.0), ASKED).config
    assert one.micro_batch_rows == 1
    whole = memory_mb(one, facts) or 0.0
    least = memory_mb(one, facts, recomputed=True) or 0.0
    assert least < 0.8 * whole
    choice = choose("balanced", replace(facts, free_mb=(whole + least) / 2), ASKED)
    assert choice.fits
    assert choice.memory_mb == pytest.approx(least)
    assert "layers computed twice" in next(r.why for r in choice.reasons if r.name == "micro_batch_rows")
    assert not choose("balanced", replace(facts, free_mb=0.9 * least), ASKED).fits


def test_where_no_answer_is_the_bases_own_the_objective_is_the_text_alone() -> None:
    foreign = replace(FACTS, own_rows=0, scored_tokens=0)
    for preset in get_args(Preset):
        choice = choose(preset, foreign, ASKED)
        assert choice.config.objective == "cross_entropy"
        assert "no training answer comes from the prompted base" in _reason(choice, "objective").why
        assert choose(preset, replace(foreign, scored_tokens=1), ASKED).config.objective == "mix"
    assert supported_objective(ASKED, foreign).objective == "cross_entropy"
    assert supported_objective(ASKED, FACTS, {"objective"}) == ASKED
    named = replace(ASKED, objective="cross_entropy")
    assert choose("balanced", foreign, named, {"objective"}).config.objective == "cross_entropy"


@pytest.mark.parametrize("objective", ["mix", "forward_kl"])
def test_an_objective_that_was_named_and_cannot_be_trained_is_refused(objective: Objective) -> None:
    foreign, named = replace(FACTS, own_rows=0, scored_tokens=0), replace(ASKED, objective=objective)
    with pytest.raises(TrainingError) as refused:
        choose("balanced", foreign, named, {"objective"})
    assert f"with the objective {objective}" in refused.value.title
    assert "--objective cross_entropy" in refused.value.next
