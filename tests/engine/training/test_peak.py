"""The estimated peak memory of a run."""

from dataclasses import replace
from typing import Any

import pytest

from engine.training.peak import memory_mb
from tests.engine.training.estimate_facts import FACTS, LARGE, REQUESTED, TOKENS


def test_estimate_covers_the_peak_measured_on_the_starter() -> None:
    # Peak of one forward and backward pass of 8 rows of 256 tokens, rank 16, no optimizer: 4.89 and 3.27 GB.
    config = replace(REQUESTED, micro_batch_rows=8)
    for number_bytes, measured_mb in ((4, 1_692 + 1.563 * 2_048), (2, 1_385 + 0.918 * 2_048)):
        estimate = memory_mb(config, replace(FACTS, tokens=replace(TOKENS, longest=256), number_bytes=number_bytes))
        assert estimate is not None
        assert measured_mb <= estimate <= 1.25 * measured_mb


@pytest.mark.parametrize("term", ["on_policy_steps", "general_fraction", "prompt_back_weight"])
def test_second_stage_and_extra_terms_need_more_memory(term: str) -> None:
    facts = replace(FACTS, tokens=replace(TOKENS, longest=60, longest_answer=40, prompt=8_000))
    plain = memory_mb(REQUESTED, facts)
    changed: dict[str, Any] = {term: 1 if term == "on_policy_steps" else 0.1}
    more = memory_mb(replace(REQUESTED, **changed), facts)
    assert plain is not None
    assert more is not None
    assert more > plain


def test_sharded_base_takes_its_share_plus_the_layers_gathered_in_a_pass() -> None:
    whole, two, many = (
        memory_mb(REQUESTED, replace(FACTS, shapes=LARGE, number_bytes=2, shards=shards)) or 0.0
        for shards in (1, 2, 1_000)
    )
    layers_mb = 2 * sum(inputs * outputs for inputs, outputs in LARGE.linear) / 1e6
    assert whole - two == pytest.approx(layers_mb * (1 - 1 / 2 - 4 / 32))
    assert whole - many == pytest.approx(layers_mb * (1 - 1 / 1_000 - 4 / 32))
    one_layer = replace(LARGE, layers=1)
    assert memory_mb(REQUESTED, replace(FACTS, shapes=one_layer, number_bytes=2, shards=2)) == whole
