"""Cached teacher distributions equal those of the prompted base, and a file made from other data is never used."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from engine.model.local_model import LocalModel
from engine.model.prompt_cache import PromptCache
from engine.model.score import ScoreRow, TopK, score
from engine.records.dataset import DatasetRow
from engine.records.prompt import Prompt
from engine.training import distributions as distributions_module
from engine.training.losses import forward_kl_top_k
from engine.training.teacher_cache import TeacherCache
from tests.engine.training.trainer_helpers import PROMPT, MakeRow, make_dataset_prompts, questions_of


@pytest.fixture
def rows(make_row: MakeRow) -> list[DatasetRow]:
    return [
        make_row(1, "first", "ABC"),
        make_row(2, "a second question", "DE", edited_from=1),
        make_row(3, "third", "F", edited_from=0),
        make_row(4, "validation", "GHIJ", split="validation"),
    ]


def build(
    local: LocalModel, rows: list[DatasetRow], folder: Path, *, k: int = 6, prompt: Prompt = PROMPT
) -> TeacherCache:
    return TeacherCache.build(local, rows, make_dataset_prompts(rows, local, [prompt]), k, folder)


def test_cache_holds_the_distributions_of_the_prompted_base(
    local: LocalModel, rows: list[DatasetRow], tmp_path: Path
) -> None:
    cache = build(local, rows, tmp_path)
    questions = questions_of(rows, local)
    for row in (rows[0], rows[1], rows[3]):
        prompted = local.format.prompted_ids(PROMPT, questions[row.question_id].messages)
        ids = torch.tensor([[*prompted, *row.completion_ids]])
        with torch.no_grad():
            logits = local.model(input_ids=ids).logits[0, len(prompted) - 1 : -1][: row.edited_from]
        full = torch.log_softmax(logits, -1)
        held = cache.gather([row])[slice(0, row.edited_from)]
        expected = full.topk(6)
        assert torch.allclose(held.logprobs, expected.values, atol=5e-3)
        assert torch.allclose(full.gather(1, held.ids), expected.values, atol=1e-3)
        rest = full.scatter(1, expected.indices, -torch.inf).logsumexp(-1)
        assert torch.allclose(held.tail, rest, atol=5e-3)
        assert forward_kl_top_k(logits, held).abs().max() < 1e-3


def test_cache_reports_its_size(local: LocalModel, rows: list[DatasetRow], tmp_path: Path) -> None:
    cache = build(local, rows, tmp_path)
    tokens = sum(row.edited_from for row in rows)
    assert cache.bytes_per_token == 6 * (2 + 2) + 2
    assert cache.path.stat().st_size == pytest.approx(tokens * cache.bytes_per_token, abs=1_000)
    assert f"{tokens:,} tokens, 26 bytes each" in cache.words


def test_gathered_rows_keep_the_order_of_the_batch(local: LocalModel, rows: list[DatasetRow], tmp_path: Path) -> None:
    cache = build(local, rows, tmp_path)
    together = cache.gather([rows[3], rows[1], rows[0]])
    assert len(together.ids) == sum(len(row.completion_ids) for row in (rows[3], rows[1], rows[0]))
    assert torch.equal(together.ids[:5], cache.gather([rows[3]]).ids)
    assert torch.equal(together.ids[5:6], cache.gather([rows[1]]).ids[:1])
    assert torch.equal(together.logprobs[-4:], cache.gather([rows[0]]).logprobs)


def test_cache_is_computed_once_and_then_reused(
    local: LocalModel, rows: list[DatasetRow], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = build(local, rows, tmp_path)
    monkeypatch.setattr(distributions_module, "score", lambda *_a, **_k: pytest.fail("computed again"))
    reused = build(local, rows, tmp_path)
    assert reused.seconds == first.seconds
    assert not first.reused
    assert "Reused from the cache" not in first.words
    note = f" Reused from the cache; the {first.seconds:.0f} s that they took count towards this run too."
    assert reused.words == first.words + note
    for row in (rows[0], rows[3]):
        assert torch.equal(first.gather([row]).logprobs, reused.gather([row]).logprobs)


@pytest.mark.parametrize("change", ["k", "prompt", "rows", "edit", "damage", "cut"])
def test_changed_data_or_a_damaged_file_is_computed_again(
    local: LocalModel, rows: list[DatasetRow], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    cache = build(local, rows, tmp_path)
    calls = 0

    def count_and_score(
        local: LocalModel, rows: list[ScoreRow], *, prefix: PromptCache | None, k: int, batch_tokens: int
    ) -> list[TopK]:
        nonlocal calls
        calls += 1
        return score(local, rows, prefix=prefix, k=k, batch_tokens=batch_tokens)

    monkeypatch.setattr(distributions_module, "score", count_and_score)
    if change == "damage":
        data = bytearray(cache.path.read_bytes())
        data[-1] ^= 1
        cache.path.write_bytes(data)
    elif change == "cut":
        cache.path.write_bytes(cache.path.read_bytes()[:-3])
    other = [replace(rows[0], edited_from=2), *rows[1:]] if change == "edit" else rows
    other = rows[:3] if change == "rows" else other
    prompt = replace(PROMPT, messages=PROMPT.messages[:1]) if change == "prompt" else PROMPT
    rebuilt = build(local, other, tmp_path, k=5 if change == "k" else 6, prompt=prompt)
    assert calls
    assert torch.isfinite(rebuilt.gather([other[0]]).logprobs).all()


def test_interrupted_build_leaves_no_file(local: LocalModel, rows: list[DatasetRow], tmp_path: Path) -> None:
    def stop(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        TeacherCache.build(local, rows, make_dataset_prompts(rows, local), 6, tmp_path, on_rows=stop)
    assert not list(tmp_path.iterdir())
