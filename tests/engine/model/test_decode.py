"""Decoding: greedy answers equal slow full forward passes, and samples depend on their seed but not on the batch."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import ContextError, ModelError, UsageError
from engine.model.decode import Decoded, Draw, Row, decode, limits_within, sample
from engine.model.local_model import LocalModel
from engine.model.own_cache import OwnCache, rows_that_fit
from engine.model.prompt_cache import PromptCache
from engine.training.decode_shared import decode_shared
from engine.training.ranks import Ranks
from tests.engine.model.conftest import load_on_cpu

PROMPT = [5, 40, 61, 33, 90, 12]
QUESTIONS = [[44], [60, 61, 62], [80, 81], [60, 61, 62], [99, 98, 97, 96, 95, 94, 93]]
ROWS = [PROMPT + question for question in QUESTIONS]
SEEDS = [11, 12, 13, 14, 15]


@pytest.fixture(scope="module")
def local(tiny_folder: Path) -> LocalModel:
    return load_on_cpu(tiny_folder)


@pytest.fixture(scope="module")
def prefix(local: LocalModel) -> PromptCache:
    return PromptCache.build(local, PROMPT)


def slow_greedy(local: LocalModel, row: list[int], limit: int) -> tuple[int, ...]:
    produced: list[int] = []
    with torch.inference_mode():
        while len(produced) < limit and not (produced and produced[-1] in local.format.stop_ids):
            produced.append(int(local.base(input_ids=torch.tensor([row + produced])).logits[0, -1].argmax()))
    return tuple(produced)


@pytest.mark.parametrize("batch_rows", [1, 2, 5])
def test_greedy_answers_equal_one_full_forward_pass_per_token(
    local: LocalModel, prefix: PromptCache, batch_rows: int
) -> None:
    answers = decode(local, ROWS, prefix=prefix, temperature=0, max_new_tokens=20, seeds=SEEDS, batch_rows=batch_rows)
    assert [answer.ids for answer in answers] == [slow_greedy(local, row, 20) for row in ROWS]


def test_sampled_answers_do_not_depend_on_batch_or_order(local: LocalModel, prefix: PromptCache) -> None:
    whole = decode(local, ROWS, prefix=prefix, temperature=1, max_new_tokens=30, seeds=SEEDS, batch_rows=5)
    assert whole[1].ids != whole[3].ids  # the same question under two seeds
    for batch_rows, order in ((2, [4, 2, 0, 1, 3]), (1, [0, 1, 2, 3, 4])):
        again = decode(
            local,
            [ROWS[i] for i in order],
            prefix=prefix,
            temperature=1,
            max_new_tokens=30,
            seeds=[SEEDS[i] for i in order],
            batch_rows=batch_rows,
        )
        assert [answer.ids for answer in again] == [whole[i].ids for i in order]


def test_prompt_cache_does_not_change_answers(local: LocalModel, prefix: PromptCache) -> None:
    cached = decode(local, ROWS, prefix=prefix, temperature=0.7, max_new_tokens=20, seeds=SEEDS)
    without = decode(local, ROWS, temperature=0.7, max_new_tokens=20, seeds=SEEDS)
    assert [answer.ids for answer in cached] == [answer.ids for answer in without]


def test_batch_is_limited_to_the_rows_that_fit_in_memory(
    local: LocalModel, prefix: PromptCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = decode(local, ROWS, prefix=prefix, temperature=1, max_new_tokens=9, seeds=SEEDS)
    caches: list[OwnCache] = []
    init = OwnCache.__init__
    monkeypatch.setattr(OwnCache, "__init__", lambda self, *given: caches.append(self) or init(self, *given))
    slots = max(map(len, QUESTIONS)) + 9
    keys = sum(part.nbytes for pair in prefix.attended.values() for part in pair) // prefix.length  # per token
    for rows, free, local_processes in ((2, 3 * 2 * slots * keys, 1), (2, 3 * 3 * 2 * slots * keys, 3), (1, 0, 1)):
        memory = SimpleNamespace(available=free)
        monkeypatch.setattr("psutil.virtual_memory", lambda memory=memory: memory)
        assert rows_that_fit(local, prefix, slots, local_processes) == rows
        again = decode(
            local, ROWS, prefix=prefix, temperature=1, max_new_tokens=9, seeds=SEEDS, local_processes=local_processes
        )
        assert [answer.ids for answer in again] == [answer.ids for answer in whole]
        assert caches[-1].rows == rows
    slots_alone = max(map(len, ROWS)) + 9
    memory = SimpleNamespace(available=3 * 2 * slots_alone * keys)
    monkeypatch.setattr("psutil.virtual_memory", lambda: memory)
    for neighbours, rows in ((1, 2), (2, 1)):  # processes of the same run on this machine
        decode_shared(
            Ranks(neighbours=neighbours), local, ROWS, temperature=1, max_new_tokens=[9] * len(ROWS), seeds=SEEDS
        )
        assert caches[-1].rows == rows


def test_gpu_memory_reserved_by_torch_counts_as_free(
    local: LocalModel, prefix: PromptCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The driver counts it as used: otherwise each decoding would find less memory than the one before."""
    gpu = replace(local, device=torch.device("cuda", 1))
    for name, answer in {"mem_get_info": (1_000_000, 0), "memory_reserved": 0, "memory_allocated": 0}.items():
        monkeypatch.setattr(torch.cuda, name, lambda device, answer=answer: answer)
    before = rows_that_fit(gpu, prefix, 16)
    assert before > 1
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (100_000, 0))
    assert rows_that_fit(gpu, prefix, 16) < before
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 1_900_000)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 1_000_000)
    assert rows_that_fit(gpu, prefix, 16) == before


def test_answers_end_at_a_stop_token_or_at_the_limit(local: LocalModel, prefix: PromptCache) -> None:
    rows = [[*PROMPT, i] for i in range(20, 60)]
    answers = decode(
        local, rows, prefix=prefix, temperature=1.5, max_new_tokens=60, seeds=list(range(40)), batch_rows=7
    )
    assert {answer.finish_reason for answer in answers} == {"stop", "length"}
    for answer in answers:
        stops = [i for i, token in enumerate(answer.ids) if token in local.format.stop_ids]
        assert stops == ([len(answer.ids) - 1] if answer.finish_reason == "stop" else [])
        assert answer.finish_reason == "stop" or len(answer.ids) == 60
        assert 0 < answer.first_token_s <= answer.seconds


def test_callbacks_receive_every_token_and_answer(local: LocalModel, prefix: PromptCache) -> None:
    streams: dict[int, list[int]] = {}
    finished: dict[int, Decoded] = {}
    answers = decode(
        local,
        ROWS,
        prefix=prefix,
        temperature=1,
        max_new_tokens=25,
        seeds=SEEDS,
        batch_rows=2,
        on_tokens=lambda row, ids: streams.setdefault(row, []).extend(ids),
        on_finished=lambda row, answer: finished.update({row: answer}),
    )
    assert [tuple(streams[i]) for i in range(5)] == [answer.ids for answer in answers]
    assert [finished[i] for i in range(5)] == answers


def test_stopped_decoding_returns_finished_and_cancelled_answers(local: LocalModel, prefix: PromptCache) -> None:
    finished: list[int] = []
    answers = decode(
        local,
        ROWS,
        prefix=prefix,
        temperature=1,
        max_new_tokens=40,
        seeds=SEEDS,
        batch_rows=1,
        on_finished=lambda row, _: finished.append(row),
        should_stop=lambda: len(finished) == 2,
    )
    cancelled = [i for i, answer in enumerate(answers) if answer.finish_reason == "cancelled"]
    assert sorted([*finished, *cancelled]) == [0, 1, 2, 3, 4]
    assert all(answers[i].ids == () for i in cancelled)


def test_rows_longer_than_the_first_block_of_slots_are_decoded(local: LocalModel) -> None:
    rows = [[7 + i % 50 for i in range(90)], [8, 9]]
    answers = decode(local, rows, temperature=0, max_new_tokens=30, seeds=[1, 2])
    assert [answer.ids for answer in answers] == [slow_greedy(local, row, 30) for row in rows]


def test_long_question_shortens_its_own_answer_only(local: LocalModel) -> None:
    rows, context = [[8, 9], [7 + i % 50 for i in range(124)]], local.format.context_length
    limits = limits_within(local, rows, 20)
    assert limits == [20, context - 124]
    answers = decode(local, rows, temperature=0, max_new_tokens=limits, seeds=[1, 2])
    assert [answer.ids for answer in answers] == [
        slow_greedy(local, row, limit) for row, limit in zip(rows, limits, strict=True)
    ]


def test_too_long_rows_and_missing_seeds_are_refused(local: LocalModel, prefix: PromptCache) -> None:
    with pytest.raises(ContextError, match="Row 2"):
        decode(local, [[1], [1] * 120], temperature=0, max_new_tokens=20, seeds=[1, 2])
    with pytest.raises(UsageError, match="one seed"):
        decode(local, ROWS, prefix=prefix, temperature=0, max_new_tokens=5, seeds=[1])
    assert decode(local, [], prefix=prefix, temperature=0, max_new_tokens=5, seeds=[]) == []


def test_samples_follow_the_distribution() -> None:
    logits = torch.tensor([0.0, 2.0, -1.0, 1.0]).log_softmax(0)
    uniform = torch.rand(20000, generator=torch.Generator().manual_seed(0))
    counts = torch.bincount(sample(logits.expand(20000, -1), 0.5, uniform), minlength=4) / 20000
    torch.testing.assert_close(counts, torch.softmax(logits / 0.5, 0), rtol=0, atol=0.01)


@pytest.mark.parametrize("seed", [-1, -(10**30), 10**30])
def test_any_integer_is_a_seed(seed: int) -> None:
    first, repeated, other = (Row.make(0, [1], 3, Draw(1.0), each).uniform for each in (seed, seed, seed + 1))
    assert first.equal(repeated)
    assert not first.equal(other)


def test_top_p_samples_only_the_likeliest_ids_in_proportion() -> None:
    logits = torch.tensor([0.1, 0.4, 0.2, 0.3]).log()
    uniform = torch.rand(20000, generator=torch.Generator().manual_seed(0))
    for top_p, kept in ((0.3, [1]), (0.5, [1, 3]), (0.69, [1, 3]), (0.8, [1, 2, 3]), (1.0, [0, 1, 2, 3])):
        counts = torch.bincount(sample(logits.expand(20000, -1), 1.0, uniform, top_p), minlength=4) / 20000
        expected = torch.zeros(4)
        expected[kept] = logits.exp()[kept] / logits.exp()[kept].sum()
        torch.testing.assert_close(counts, expected, rtol=0, atol=0.012)


@settings(max_examples=50)
@given(
    logits=st.lists(st.floats(-30, 30, width=32), min_size=2, max_size=9),
    uniform=st.floats(0, 1, exclude_max=True, width=32),
    temperature=st.sampled_from([0.0, 1e-300, 1e-40, 0.1, 1.0, 3.0]),
    top_p=st.sampled_from([5e-324, 1e-6, 0.5, 0.999, 1.0]),
)
def test_sampled_id_always_has_some_probability(
    logits: list[float], uniform: float, temperature: float, top_p: float
) -> None:
    row = torch.tensor([logits])
    token = int(sample(row, temperature, torch.tensor([uniform]), top_p))
    probabilities = torch.softmax(row[0] / temperature, 0) if temperature > 0.01 else (row[0] == row.max()).float()
    assert probabilities[token] > 0
    likelier = float(probabilities[probabilities > probabilities[token]].sum())
    assert top_p == 1 or likelier < top_p + 1e-6  # sums of float32 differ in their last digits


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_nan_and_infinite_logits_are_refused(broken: float) -> None:
    logits = torch.tensor([[1.0, broken, 2.0]])
    for temperature, top_p in ((0.0, 1.0), (0.7, 0.5), (0.7, 1.0)):
        with pytest.raises(ModelError, match="no valid probabilities"):
            sample(logits, temperature, torch.tensor([0.3]), top_p)
