"""Models with recurrent layers: each row continues a copy of the state that the prompt has left."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from engine.errors import ModelError
from engine.model import exactness, kernels
from engine.model.decode import decode
from engine.model.kernels import kernels_note
from engine.model.local_model import LocalModel
from engine.model.own_cache import OwnCache, rows_that_fit
from engine.model.prompt_cache import PromptCache
from engine.model.score import ScoreRow, score
from engine.model.shapes import read_shapes
from tests.engine.model.conftest import load_on_cpu
from tests.engine.model.test_architectures import assert_answers_are_those_of_whole_sequences, load_architecture
from tests.families import GATED_DELTA_NET

_MAMBA: dict[str, object] = {
    "mamba_n_heads": 8, "mamba_d_head": 8, "mamba_d_ssm": 64, "mamba_d_state": 8, "mamba_n_groups": 1,
    "mamba_chunk_size": 8, "mamba_expand": 2,
}  # fmt: skip
_EXPERTS: dict[str, object] = {"num_experts": 4, "num_experts_per_tok": 2}
RECURRENT: dict[str, dict[str, object]] = {
    "BambaConfig": _MAMBA | {"attn_layer_indices": [1]},
    "FalconH1Config": _MAMBA,  # attention and Mamba side by side in every layer
    "GraniteMoeHybridConfig": _MAMBA
    | {"layer_types": ["mamba", "attention"], "num_local_experts": 0, "shared_intermediate_size": 64},
    "Lfm2Config": {"layer_types": ["conv", "full_attention"]},
    "NemotronHConfig": {
        "layers_block_type": ["mamba", "attention"], "mamba_num_heads": 8, "mamba_head_dim": 8, "ssm_state_size": 8,
        "n_groups": 1, "chunk_size": 8,
    },
    "OlmoHybridConfig": GATED_DELTA_NET | {"linear_num_value_heads": 2},
    "Qwen3NextConfig": GATED_DELTA_NET | _EXPERTS,
    "Qwen3_5TextConfig": GATED_DELTA_NET,
}  # fmt: skip
# What these layers compute from a state differs from what they compute from the tokens, in transformers itself.
REFUSED: dict[str, dict[str, object]] = {
    "JambaConfig": {
        "attn_layer_period": 2, "attn_layer_offset": 1, "use_mamba_kernels": False, "mamba_d_state": 8,
        "mamba_dt_rank": 4, "num_experts": 2,
    },
}  # fmt: skip
PROMPT = list(range(10, 40))
QUESTIONS = [[50, 51, 52], [60, 61], [60, 61], [70], [71, 72, 73, 74, 75], [50, 51, 53], [80, 81]]
ROWS = [[*PROMPT, *question] for question in QUESTIONS]
SEEDS = list(range(len(ROWS)))


@pytest.fixture(scope="module", params=RECURRENT)
def local(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> LocalModel:
    name: str = request.param
    return load_architecture(tmp_path_factory.mktemp("recurrent"), name, RECURRENT[name])


def own_logits(local: LocalModel, ids: list[int]) -> Tensor:
    """The logits (T, V) of one pass of the model's own over the whole sequence."""
    with torch.inference_mode():
        logits: Tensor = local.base(input_ids=torch.tensor([ids]), use_cache=False).logits[0].float()
    return logits


def test_answers_behind_a_shared_prompt_are_those_of_the_whole_sequences(local: LocalModel) -> None:
    assert PromptCache.build(local, PROMPT).recurrent
    assert_answers_are_those_of_whole_sequences(local)


def test_answer_depends_neither_on_its_neighbours_nor_on_a_cached_prompt(local: LocalModel) -> None:
    prefix = PromptCache.build(local, PROMPT)
    together, apart, without = (
        decode(local, ROWS, prefix=held, temperature=0.7, max_new_tokens=8, seeds=SEEDS, batch_rows=batch_rows)
        for held, batch_rows in ((prefix, 4), (prefix, 1), (None, 4))
    )
    assert [answer.ids for answer in together] == [answer.ids for answer in apart]
    assert [answer.ids for answer in together] == [answer.ids for answer in without]


def test_scores_behind_a_shared_prompt_are_those_of_the_whole_sequences(local: LocalModel) -> None:
    rows = [ScoreRow(row, tuple(range(90, 91 + place))) for place, row in enumerate(ROWS)]
    found = score(local, rows, prefix=PromptCache.build(local, PROMPT), k=4)
    for row, top in zip(rows, found, strict=True):
        logits = own_logits(local, [*row.context_ids, *row.completion_ids])[len(row.context_ids) - 1 : -1]
        expected = torch.log_softmax(logits, dim=-1).gather(1, torch.tensor(row.completion_ids)[:, None])[:, 0]
        torch.testing.assert_close(top.completion_logprobs, expected, rtol=1e-3, atol=2e-3)


def test_prompt_is_unchanged_by_the_rows_that_continue_it(local: LocalModel) -> None:
    prefix = PromptCache.build(local, PROMPT)

    def answers() -> list[tuple[int, ...]]:
        return [
            answer.ids for answer in decode(local, ROWS, prefix=prefix, temperature=0.0, max_new_tokens=6, seeds=SEEDS)
        ]

    first = answers()
    score(local, [ScoreRow(row, (90, 91)) for row in ROWS], prefix=prefix, k=4)
    assert answers() == first


def test_questions_of_different_lengths_are_never_read_in_one_pass(local: LocalModel) -> None:
    cache = OwnCache(local, PromptCache.build(local, PROMPT), rows=2)
    with pytest.raises(ValueError, match="different lengths"):
        cache.read([[50, 51], [50]], [0, 1], 0)


def test_room_for_states_grows_with_the_rows(local: LocalModel) -> None:
    cache = OwnCache(local, PromptCache.build(local, PROMPT), rows=64)
    with torch.inference_mode():
        cache.read([[50]], [0], 0)
        few = [len(states) for layer in cache.layers for states in getattr(layer, "kept", {}).values()]
        cache.read([[51]], [0] * 20, 1)
        many = [len(states) for layer in cache.layers for states in getattr(layer, "kept", {}).values()]
        last = cache.step([52] * 21, [1] * 21)
        torch.testing.assert_close(last[1:], last[1:2].expand(20, -1))
        alone = OwnCache(local, PromptCache.build(local, PROMPT), rows=1)
        alone.read([[50]], [0], 0)
        torch.testing.assert_close(last[:1], alone.step([52], [1]), rtol=1e-4, atol=1e-4)
    assert max(few) < 5 <= 21 <= min(many) <= 64


def test_kernels_that_only_run_on_a_gpu_are_named_as_the_cause(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_given: object) -> Tensor:
        raise RuntimeError("Expected x.is_cuda() to be true, but got false.")

    monkeypatch.setattr(exactness, "_hidden_behind_prompt", refuse)
    with pytest.raises(ModelError, match=r"cannot run on the CPU here.*is_cuda.*causal-conv1d"):
        load_architecture(tmp_path, "Lfm2Config", RECURRENT["Lfm2Config"])


def test_missing_kernels_are_noted_on_a_gpu_only(
    local: LocalModel, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernels, "find_spec", lambda _name: None)
    on_gpu = replace(local, device=torch.device("cuda"))
    assert "slow reference code" in (kernels_note(on_gpu) or "")
    assert kernels_note(local) is None
    assert kernels_note(replace(load_on_cpu(tiny_folder), device=torch.device("cuda"))) is None
    monkeypatch.setattr(kernels, "find_spec", lambda name: name == "fla" or None)
    assert kernels_note(on_gpu) is None


def test_estimates_know_the_first_products_of_recurrent_layers(tmp_path: Path) -> None:
    for name in ("Qwen3_5TextConfig", "GraniteMoeHybridConfig", "NemotronHConfig"):
        local = load_architecture(tmp_path / name, name, RECURRENT[name])
        first = [
            module.out_features for path, module in local.base.named_modules()
            if isinstance(module, torch.nn.Linear) and ".in_proj" in path
        ]  # fmt: skip
        shapes = read_shapes(tmp_path / name)
        assert (shapes.delta_nets, shapes.scans) == ((sum(first), 0) if "Qwen" in name else (0, sum(first)))


def test_memory_of_a_row_includes_its_states(local: LocalModel, monkeypatch: pytest.MonkeyPatch) -> None:
    prefix = PromptCache.build(local, PROMPT)
    cache = OwnCache(local, prefix, rows=4, slots=8)
    with torch.inference_mode():
        cache.read([[50]], [0, 0, 0, 0], 0)
    held = [
        tensor for layer in cache.layers for tensor in (getattr(layer, "keys", None), getattr(layer, "values", None))
    ]
    held += [states for layer in cache.layers for states in getattr(layer, "kept", {}).values()]
    total = sum(tensor.numel() * tensor.element_size() for tensor in held if tensor is not None)
    assert prefix.state_bytes > 0
    monkeypatch.setattr("engine.model.own_cache._free_bytes", lambda *_given: 3 * total + 3)
    assert rows_that_fit(local, prefix, 8) == 4
    assert rows_that_fit(local, PromptCache.build(local, ()), 8) == 4


@pytest.mark.parametrize("name", REFUSED)
def test_architecture_that_does_not_continue_a_state_exactly_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="the logits of a question differ by"):
        load_architecture(tmp_path, name, REFUSED[name])
