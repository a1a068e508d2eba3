"""Only completion tokens carry loss, however rows are batched, and only the adapter is trained."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from peft import LoraConfig
from torch import Tensor
from transformers import GPT2Config, GPT2LMHeadModel

from engine.errors import ModelError, TrainingError
from engine.model.load import adapter_off, load_base, with_adapter
from engine.model.local_model import LocalModel
from engine.model.merge import merge
from engine.records.dataset import DatasetRow
from engine.records.run import AdapterKind, TrainingConfig
from engine.training import student as student_module
from engine.training.batches import make_batch
from engine.training.losses import cross_entropy
from engine.training.state import save_adapter
from engine.training.student import add_gradients, token_losses, trained_parameters, with_new_adapter
from tests.engine.training.trainer_helpers import MakeRow, randomise_adapter
from tests.tiny import make_tiny_base

CONFIG = TrainingConfig(base="tiny", lora_rank=4, lora_alpha=8, seed=3)


def gradients(student: LocalModel, micro_batches: Sequence[Sequence[DatasetRow]]) -> tuple[float, list[Tensor]]:
    tokens = sum(len(row.completion_ids) for rows in micro_batches for row in rows)
    total = 0.0
    for rows in micro_batches:
        batch = make_batch(rows)

        def loss(logits: Tensor, here: slice, targets: Tensor = batch.target_ids) -> Tensor:
            return cross_entropy(logits, targets[here])

        total += float(add_gradients(student, batch, loss, tokens))
    found = [parameter.grad.clone() for parameter in trained_parameters(student) if parameter.grad is not None]
    for parameter in trained_parameters(student):
        parameter.grad = None
    return total / tokens, found


def test_loss_and_gradients_equal_those_of_the_models_own_loss_on_completions(
    local: LocalModel, make_row: MakeRow
) -> None:
    rows = [make_row(1, "short", "yes"), make_row(2, "a longer question", "a much longer answer"), make_row(3, "x", "")]
    student = randomise_adapter(with_new_adapter(local, CONFIG))
    loss, found = gradients(student, [rows])
    expected = torch.tensor(0.0)
    for row in rows:
        ids = torch.tensor([[*row.question_ids, *row.completion_ids]])
        labels = ids.clone()
        labels[:, : len(row.question_ids)] = -100
        out = student.model(input_ids=ids, labels=labels)
        expected = expected + out.loss * len(row.completion_ids)
    expected = expected / sum(len(row.completion_ids) for row in rows)
    expected.backward()
    expected_gradients = [parameter.grad for parameter in trained_parameters(student)]
    assert abs(loss - float(expected.detach())) < 1e-5
    assert len(found) == len(expected_gradients) > 0
    for one, other in zip(found, expected_gradients, strict=True):
        assert other is not None
        assert torch.allclose(one, other, atol=1e-6)


def test_any_split_into_micro_batches_gives_the_same_gradients(local: LocalModel, make_row: MakeRow) -> None:
    rows = [make_row(number, "q" * number, "a" * (2 * number)) for number in range(1, 7)]
    student = randomise_adapter(with_new_adapter(local, CONFIG))
    whole_loss, whole = gradients(student, [rows])
    for parts in ([rows[:1], rows[1:]], [[row] for row in rows], [rows[3:], rows[:3]]):
        loss, split = gradients(student, parts)
        assert abs(loss - whole_loss) < 1e-6
        for one, other in zip(whole, split, strict=True):
            assert torch.allclose(one, other, atol=1e-6)


def test_question_tokens_and_padding_carry_no_loss(local: LocalModel, make_row: MakeRow) -> None:
    """The gradient of the loss with respect to the logits is zero at every position outside the completions."""
    rows = [make_row(1, "abc", "de"), make_row(2, "a much longer question", "answer")]
    batch = make_batch(rows)
    logits = torch.randn(*batch.input_ids.shape, local.model.config.vocab_size, requires_grad=True)
    cross_entropy(logits.flatten(0, 1)[batch.positions], batch.target_ids).sum().backward()
    assert logits.grad is not None
    carries = logits.grad.abs().sum(-1) > 0
    for place, row in enumerate(rows):
        start, count = len(row.question_ids) - 1, len(row.completion_ids)
        assert carries[place].nonzero().flatten().tolist() == list(range(start, start + count))
        assert batch.target_ids[place * len(rows[0].completion_ids) :][:count].tolist() == list(row.completion_ids)
    assert rows[0].completion_ids[-1] in local.format.stop_ids


def test_only_adapter_weights_outside_head_and_embeddings_are_trained(local: LocalModel) -> None:
    student = with_new_adapter(local, CONFIG)
    names = {name for name, parameter in student.model.named_parameters() if parameter.requires_grad}
    assert len(names) == 2 * 2 * 7  # A and B, two layers, seven linear maps
    assert all("lora_" in name and "lm_head" not in name and "embed" not in name for name in names)
    assert all(parameter.dtype == torch.float32 for parameter in trained_parameters(student))
    assert all(parameter.std() > 0 for parameter in trained_parameters(student)[::2])


def test_saved_adapter_loads_with_the_same_losses_and_names_no_local_path(
    local: LocalModel, model_folder: Path, make_row: MakeRow, tmp_path: Path
) -> None:
    student = randomise_adapter(with_new_adapter(local, CONFIG))
    batch = make_batch([make_row(1, "what", "this")])
    losses = token_losses(student, batch, lambda logits, here: cross_entropy(logits, batch.target_ids[here]))
    save_adapter(student.model, tmp_path / "adapter")
    assert sorted(path.name for path in (tmp_path / "adapter").iterdir()) == [
        "adapter_config.json", "adapter_model.safetensors",
    ]  # fmt: skip
    assert str(model_folder) not in (tmp_path / "adapter" / "adapter_config.json").read_text()
    loaded = with_adapter(load_base(model_folder, device="cpu", dtype="float32"), tmp_path / "adapter")
    loaded_losses = token_losses(loaded, batch, lambda logits, here: cross_entropy(logits, batch.target_ids[here]))
    assert torch.allclose(losses, loaded_losses, atol=1e-6)


@pytest.mark.parametrize("kind", ["rslora", "dora", "full"])
def test_other_adapter_kinds_are_saved_loaded_and_merged_with_the_same_losses(
    local: LocalModel, model_folder: Path, make_row: MakeRow, tmp_path: Path, kind: AdapterKind
) -> None:
    base_logits = local.model(input_ids=torch.tensor([[5, 40, 61]])).logits
    student = with_new_adapter(local, replace(CONFIG, adapter=kind))
    parameters = trained_parameters(student)
    # Two layers of seven linear maps; full fine-tuning adds two norms per layer and the last one.
    assert len(parameters) == (2 * (7 + 2) + 1 if kind == "full" else (3 if kind == "dora" else 2) * 2 * 7)
    with torch.no_grad():
        assert torch.allclose(student.model(input_ids=torch.tensor([[5, 40, 61]])).logits, base_logits, atol=1e-5)
        for parameter in parameters:
            parameter.add_(torch.randn_like(parameter), alpha=0.1)
    batch = make_batch([make_row(1, "what", "this")])

    def losses(model: LocalModel) -> Tensor:
        return token_losses(model, batch, lambda logits, here: cross_entropy(logits, batch.target_ids[here]))

    trained = losses(student)
    save_adapter(student.model, tmp_path / "adapter")
    with adapter_off(student):
        assert not torch.allclose(losses(student), trained, atol=1e-2)
    assert all(parameter.requires_grad for parameter in parameters)
    fresh = load_base(model_folder, device="cpu", dtype="float32")
    assert torch.allclose(losses(with_adapter(fresh, tmp_path / "adapter")), trained, atol=1e-6)
    merge(model_folder, tmp_path / "adapter", tmp_path / "merged")
    for path in model_folder.glob("tokenizer*"):
        (tmp_path / "merged" / path.name).write_bytes(path.read_bytes())
    assert torch.allclose(losses(load_base(tmp_path / "merged", device="cpu", dtype="float32")), trained, atol=1e-4)


def test_new_adapter_can_start_from_an_earlier_one_of_the_same_shape(
    local: LocalModel, model_folder: Path, tmp_path: Path
) -> None:
    earlier = randomise_adapter(with_new_adapter(local, CONFIG))
    save_adapter(earlier.model, tmp_path / "earlier")

    def start_from_earlier(config: TrainingConfig, base: Path = model_folder) -> LocalModel:
        return with_new_adapter(load_base(base, device="cpu", dtype="float32"), config, tmp_path / "earlier")

    started = start_from_earlier(replace(CONFIG, seed=99))
    for one, other in zip(trained_parameters(earlier), trained_parameters(started), strict=True):
        assert torch.equal(one, other)
        assert other.requires_grad
    for config in (replace(CONFIG, lora_rank=8), replace(CONFIG, lora_alpha=4), replace(CONFIG, adapter="rslora")):
        with pytest.raises(TrainingError, match=r"does not match.*--adapter lora --lora-rank 4"):
            start_from_earlier(config)
    with pytest.raises(TrainingError, match="this run's is full"):
        start_from_earlier(replace(CONFIG, adapter="full"))
    with pytest.raises(ModelError, match="has the shape"):
        start_from_earlier(CONFIG, make_tiny_base(tmp_path / "other", hidden_size=32))


def test_full_fine_tuning_starts_from_earlier_layers_and_requires_float32(model_folder: Path, tmp_path: Path) -> None:
    config = replace(CONFIG, adapter="full")
    earlier = with_new_adapter(load_base(model_folder, device="cpu", dtype="float32"), config)
    with torch.no_grad():
        for parameter in trained_parameters(earlier):
            parameter.mul_(1.1)
    save_adapter(earlier.model, tmp_path / "earlier")
    base = load_base(model_folder, device="cpu", dtype="float32")
    started = with_new_adapter(base, replace(config, lora_rank=9), tmp_path / "earlier")
    for one, other in zip(trained_parameters(earlier), trained_parameters(started), strict=True):
        assert torch.equal(one, other)
    with pytest.raises(TrainingError, match=r"It is full; this run's is lora of rank 4.*--adapter full, or"):
        with_new_adapter(load_base(model_folder, device="cpu", dtype="float32"), CONFIG, tmp_path / "earlier")
    with pytest.raises(TrainingError, match=r"bfloat16.*--dtype float32"):
        with_new_adapter(load_base(model_folder, device="cpu", dtype="bfloat16"), config)


def test_adapter_that_could_not_be_read_back_is_refused_before_training(
    local: LocalModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when peft adapts more than it was asked to, and notes it in the configuration."""
    monkeypatch.setattr(LoraConfig, "save_pretrained", save_with("target_parameters", ["experts.down_proj"]))
    with pytest.raises(ModelError, match=r"--adapter lora\..*unsupported keys: target_parameters\..*another base"):
        with_new_adapter(local, CONFIG)


def save_with(key: str, value: object) -> Callable[[LoraConfig, str], None]:
    real = LoraConfig.save_pretrained

    def save(config: LoraConfig, folder: str) -> None:
        real(config, folder)
        path = Path(folder) / "adapter_config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))

    return save


@pytest.mark.parametrize("kind", ["lora", "dora"])
def test_base_that_peft_cannot_adapt_is_refused_with_the_reason(
    local: LocalModel, monkeypatch: pytest.MonkeyPatch, kind: AdapterKind
) -> None:
    monkeypatch.setattr(student_module, "lora_targets", lambda _local: ["model.norm"])
    with pytest.raises(ModelError, match=rf"cannot be trained with --adapter {kind}.*LlamaRMSNorm"):
        with_new_adapter(local, replace(CONFIG, adapter=kind))


def test_base_without_linear_layers_is_refused(tmp_path: Path) -> None:
    """GPT-2's layers are of its own kind; its context length is usually declared under another name."""
    base = make_tiny_base(tmp_path / "base", hidden_size=32)
    gpt2 = GPT2LMHeadModel(GPT2Config(vocab_size=259, n_embd=32, n_layer=1, n_head=4, n_positions=128, eos_token_id=2))
    gpt2.save_pretrained(base)
    settings = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(json.dumps(settings | {"max_position_embeddings": 128}))
    with pytest.raises(ModelError, match="no layers that can be adapted"):
        with_new_adapter(load_base(base, device="cpu", dtype="float32"), CONFIG)
