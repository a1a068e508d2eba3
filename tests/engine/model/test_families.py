"""Each model family as a tiny random model in real files: template, stop tokens, prompt cache and adapter."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from transformers import AutoTokenizer

from engine.errors import ContextError, ModelError
from engine.model.chat_format import ChatFormat
from engine.model.decode import decode
from engine.model.load import with_adapter
from engine.model.local_model import LocalModel
from engine.model.prompt_cache import PromptCache, forward_shared
from engine.model.score import ScoreRow, score
from engine.records.prompt import Message, Prompt
from tests.engine.model.conftest import eager_logits, load_on_cpu
from tests.families import FAMILIES, Family
from tests.tiny import make_tiny_family
from tests.trained import make_tiny_adapter

HI = (Message("user", "Hi"),)
LONGER = (*HI, Message("assistant", "Hello."), Message("user", " two\n\nlines "))
RULE = "Answer in one short sentence, and end it with a point."
TURNS = (Message("user", "Is it open?"), Message("assistant", "Yes, it is."))


@pytest.fixture(scope="module", params=FAMILIES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def family(name: str) -> Family:
    return FAMILIES[name]


@pytest.fixture(scope="module")
def folder(name: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_family(tmp_path_factory.mktemp("family") / name, FAMILIES[name])


@pytest.fixture(scope="module")
def chat(folder: Path) -> ChatFormat:
    return ChatFormat.load(folder)


@pytest.fixture(scope="module")
def local(folder: Path) -> LocalModel:
    return load_on_cpu(folder)


@pytest.fixture(scope="module")
def prompt(family: Family) -> Prompt:
    return Prompt((Message("system", RULE), *TURNS) if family.takes_system else TURNS)


def test_question_text_has_no_default_system_prompt_and_no_thinking(family: Family, chat: ChatFormat) -> None:
    assert chat.question_text(HI) == family.free
    assert chat.default_system == family.default
    assert chat.without_thinking == family.thinks
    notes = " ".join(chat.notes)
    assert (f"“{family.default}”" in notes) == (family.default is not None)
    assert ("thinking block stays empty" in notes) == family.thinks


def test_texts_do_not_contain_the_current_year(chat: ChatFormat, prompt: Prompt) -> None:
    text = chat.decode(chat.prompted_ids(prompt, LONGER)) + chat.question_text(LONGER)
    assert str(datetime.now(UTC).year) not in text


def test_released_template_gives_the_same_ids_in_transformers(chat: ChatFormat, folder: Path, tmp_path: Path) -> None:
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    del settings["chat_template"]
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    (tmp_path / "tokenizer.json").write_bytes((folder / "tokenizer.json").read_bytes())
    (tmp_path / "chat_template.jinja").write_text(chat.template)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    for messages in (HI, LONGER):
        plain = [{"role": message.role, "content": message.content} for message in messages]
        theirs = tokenizer.apply_chat_template(plain, add_generation_prompt=True, return_dict=False)
        assert list(theirs) == chat.question_ids(messages)


def test_enable_thinking_does_not_change_the_question_text(family: Family, chat: ChatFormat) -> None:
    text = chat._chat._compiled.render(
        messages=[{"role": "user", "content": "Hi"}], add_generation_prompt=True, enable_thinking=True,
        bos_token=family.bos, eos_token=family.eos or family.stop,
    )  # fmt: skip
    assert text == family.free


def test_system_message_is_written_once_or_refused(family: Family, chat: ChatFormat) -> None:
    prompt = Prompt((Message("system", RULE), *TURNS))
    if not family.takes_system:
        with pytest.raises(ModelError, match="no place for a system message"):
            chat.prompted_ids(prompt, HI)
        return
    text = chat.decode(chat.prompted_ids(prompt, HI))
    assert text.count(RULE) == 1
    assert "You are" not in text


def test_answer_has_the_same_ids_as_in_the_whole_conversation(chat: ChatFormat) -> None:
    answer = "Hello, it is."
    whole = chat._encode(chat._chat.render((*HI, Message("assistant", answer)), generation_prompt=False))
    ids = [*chat.question_ids(HI), *chat.completion_ids(answer)]
    assert [*whole, ids[-1]][: len(ids)] == ids  # where only the next turn ends an answer, its end is still missing
    assert chat.decode(chat.completion_ids(answer)) == answer
    spans = chat.token_spans(chat.completion_ids(answer))
    assert {place for start, end in spans for place in range(start, end)} == set(range(len(answer)))


@settings(max_examples=60)
@given(st.lists(st.integers(0, 1 << 16), max_size=12))
def test_streamed_text_equals_the_text_decoded_at_once(chat: ChatFormat, draws: list[int]) -> None:
    ids = [draw % chat._tokenizer.get_vocab_size() for draw in draws]
    ids = [token for token in ids if token not in chat.stop_ids]
    feed = chat.text_stream()
    streamed, whole = "".join(feed([token]) for token in ids), chat.decode(ids)
    assert "\ufffd" in whole or streamed == whole  # invalid bytes: streamed text cannot be taken back


def test_stop_token_ends_every_completion_and_decoding(
    family: Family, chat: ChatFormat, local: LocalModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = family.special.index(family.stop)
    ids = chat.completion_ids("Hello.")
    assert [token for token in ids if token in chat.stop_ids] == ids[-1:] == [stop]
    assert chat.stop_ids == {family.special.index(token) for token in family.ends}
    for end in chat.stop_ids:  # whichever of them the model samples
        monkeypatch.setattr("engine.model.decode.sample", lambda *_, end=end: torch.tensor([end]))
        (decoded,) = decode(local, [chat.question_ids(HI)], temperature=0.0, max_new_tokens=5, seeds=[0])
        assert (decoded.ids, decoded.finish_reason) == ((end,), "stop")
        assert chat.decode(decoded.ids) == ""


def test_prompt_prefix_is_shared_and_contains_the_whole_prompt(chat: ChatFormat, prompt: Prompt) -> None:
    of_any, of_single_turn = chat.prompt_prefix_ids(prompt), chat.prompt_prefix_ids(prompt, single_turn=True)
    assert of_single_turn[: len(of_any)] == of_any
    assert chat.prompted_ids(prompt, LONGER)[: len(of_any)] == of_any
    rows = [chat.prompted_ids(prompt, (Message("user", text),)) for text in ("Hi", "\n", "  x", "é")]
    assert all(row[: len(of_single_turn)] == of_single_turn for row in rows)
    shared = chat.decode(of_single_turn)
    assert all(message.content in shared for message in prompt.messages)


def logits_after(prefix: PromptCache, local: LocalModel, ids: list[int]) -> Tensor:
    """The logits of `ids` after the cached prompt."""
    positions = prefix.length + torch.arange(len(ids))[None]
    with torch.inference_mode():
        return local.logits(forward_shared(local, prefix, torch.tensor([ids]), positions, None))[0]


def test_logits_after_a_shared_prompt_equal_a_full_forward_pass(
    chat: ChatFormat, local: LocalModel, prompt: Prompt
) -> None:
    prefix = PromptCache.build(local, chat.prompt_prefix_ids(prompt, single_turn=True))
    row = [*chat.prompted_ids(prompt, HI), *chat.completion_ids("Hello, it is.")]
    own = prefix.own_part(row)
    assert prefix.length > 12  # longer than the sliding window, if there is one
    torch.testing.assert_close(
        logits_after(prefix, local, own), eager_logits(local, row)[prefix.length :], rtol=1e-3, atol=1e-3
    )


def test_decoding_and_scoring_after_a_shared_prompt_agree_with_a_full_forward_pass(
    chat: ChatFormat, local: LocalModel, prompt: Prompt
) -> None:
    prefix = PromptCache.build(local, chat.prompt_prefix_ids(prompt, single_turn=True))
    row = chat.prompted_ids(prompt, HI)
    (decoded,) = decode(local, [row], prefix=prefix, temperature=0.0, max_new_tokens=16, seeds=[0])
    logits = eager_logits(local, [*row, *decoded.ids])[len(row) - 1 : -1]
    chosen = logits.gather(1, torch.tensor(decoded.ids)[:, None])[:, 0]
    assert (logits.max(dim=1).values - chosen).max() < 1e-3
    (top,) = score(local, [ScoreRow(row, decoded.ids)], prefix=prefix, k=4)
    expected = torch.log_softmax(logits, dim=-1).gather(1, torch.tensor(decoded.ids)[:, None])[:, 0]
    torch.testing.assert_close(top.completion_logprobs, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("name", "options", "reason"),
    [
        ("MambaConfig", {}, "would not be its own"),
    ],
)
def test_architecture_that_cannot_share_a_prompt_is_refused_with_the_reason(
    tmp_path: Path, name: str, options: dict[str, object], reason: str
) -> None:
    folder = make_tiny_family(tmp_path / "odd", replace(FAMILIES["qwen2.5"], config=name, options=options))
    with pytest.raises(ModelError, match=f"architecture is not supported.*odd.*{reason}.*Choose a decoder"):
        load_on_cpu(folder)


LONGROPE: dict[str, object] = {
    "original_max_position_embeddings": 64,
    "rope_parameters": {
        "rope_type": "longrope", "rope_theta": 1e4, "short_factor": [1.0] * 4, "long_factor": [4.0] * 4,
        "original_max_position_embeddings": 64,
    }
}  # fmt: skip


def test_longrope_model_is_limited_to_its_original_context(tmp_path: Path) -> None:
    longrope = replace(FAMILIES["phi3"], options=LONGROPE)
    local = load_on_cpu(make_tiny_family(tmp_path / "long", longrope))
    assert (local.format.context_length, local.format.declared_context_length) == (64, 2_048)
    assert any("limited to 64 tokens, although the model accepts 2,048" in note for note in local.format.notes)
    ids = [7 * number % 50 + 1 for number in range(70)]
    prefix = PromptCache.build(local, ids[:50])
    for length, equal in ((64, True), (70, False)):  # beyond 64 tokens, the model reads the prompt differently
        found = logits_after(prefix, local, ids[50:length])
        assert torch.allclose(found, eager_logits(local, ids[:length])[50:], atol=1e-3) == equal
    with pytest.raises(ContextError, match="It takes 65 tokens; the limit is 64"):
        PromptCache.build(local, ids[:65])
    with pytest.raises(ContextError, match="the limit is 64"):
        decode(local, [ids[:60]], temperature=0.0, max_new_tokens=8, seeds=[0])


@pytest.mark.parametrize(
    ("changes", "length"),
    [
        ({"rope_parameters": {"rope_type": "dynamic", "factor": 4.0}}, 2_048),
        ({"rope_scaling": {"type": "su"}, "original_max_position_embeddings": 100}, 100),
        ({"rope_scaling": None, "original_max_position_embeddings": 100}, 2_048),
        (
            {"rope_parameters": {"full_attention": {"rope_type": "longrope", "original_max_position_embeddings": 90}}},
            90,
        ),
        ({"attention_chunk_size": 80}, 80),
        ({"attention_chunk_size": None}, 2_048),
    ],
)
def test_context_length_follows_the_configuration(tmp_path: Path, changes: dict[str, object], length: int) -> None:
    folder = make_tiny_family(tmp_path / "model", FAMILIES["llama3"])
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "rope_parameters": None, **changes}))
    assert ChatFormat.load(folder).context_length == length


def test_dynamic_rope_model_shares_a_prompt_within_its_context(tmp_path: Path) -> None:
    dynamic: dict[str, object] = {"rope_parameters": {"rope_type": "dynamic", "rope_theta": 1e4, "factor": 4.0}}
    family = replace(FAMILIES["llama3"], options=dynamic)
    folder = make_tiny_family(tmp_path / "dynamic", family, context_length=64)
    local = load_on_cpu(folder)
    ids = [7 * number % 50 + 1 for number in range(64)]
    prefix = PromptCache.build(local, ids[:40])
    torch.testing.assert_close(
        logits_after(prefix, local, ids[40:]), eager_logits(local, ids)[40:], rtol=1e-3, atol=1e-3
    )


def test_every_linear_layer_except_the_output_head_is_adapted(family: Family, folder: Path, tmp_path: Path) -> None:
    adapter = make_tiny_adapter(folder, tmp_path / "adapter")
    local = with_adapter(load_on_cpu(folder), adapter)
    head = local.base.get_output_embeddings()
    layers = {
        layer for layer, module in local.backbone.named_modules()
        if isinstance(module, nn.Linear) and module is not head and "lora" not in layer
    }  # fmt: skip
    adapted = {layer.removesuffix(".base_layer") for layer in layers if layer.endswith(".base_layer")}
    assert adapted == {layer.removesuffix(".base_layer") for layer in layers if not layer.endswith(family.unadapted)}
    assert not any("head" in layer or "embed" in layer for layer in adapted)
    fused = json.loads((folder / "config.json").read_text())["model_type"] == "phi3"
    assert any("qkv_proj" in layer for layer in adapted) == fused
    assert not hasattr(head, "lora_A")
    tied = json.loads((folder / "config.json").read_text())["tie_word_embeddings"]
    assert (head.weight is local.base.get_input_embeddings().weight) == tied
