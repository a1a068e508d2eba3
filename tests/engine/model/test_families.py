"""Each family, as a tiny random model through the real files: its template, its stop tokens, its cache, its adapter."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, AutoTokenizer, Gemma3Config, Gemma3TextConfig

from engine.errors import ContextError, ModelError
from engine.model.chat_format import ChatFormat
from engine.model.decode import decode
from engine.model.load import load_base, quiet_libraries, with_adapter
from engine.model.local_model import LocalModel
from engine.model.prompt_cache import PromptCache, forward_shared
from engine.model.score import ScoreRow, score
from engine.model.shapes import read_shapes
from engine.model.targets import lora_targets
from engine.records.prompt import Message, Prompt
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
    return load_base(folder, device="cpu", dtype="float32")


@pytest.fixture(scope="module")
def prompt(family: Family) -> Prompt:
    return Prompt((Message("system", RULE), *TURNS) if family.takes_system else TURNS)


def test_the_student_reads_neither_a_default_system_prompt_nor_a_thought(family: Family, chat: ChatFormat) -> None:
    assert chat.question_text(HI) == family.free
    assert chat.default_system == family.default
    assert chat.without_thinking == family.thinks
    said = " ".join(chat.notes)
    assert (f"«{family.default}»" in said) == (family.default is not None)
    assert ("thinking block stays empty" in said) == family.thinks


def test_no_date_of_today_stands_in_what_teacher_or_student_read(chat: ChatFormat, prompt: Prompt) -> None:
    text = chat.decode(chat.prompted_ids(prompt, LONGER)) + chat.question_text(LONGER)
    assert str(datetime.now(UTC).year) not in text


def test_transformers_writes_the_same_ids_from_the_template_that_a_release_carries(
    chat: ChatFormat, folder: Path, tmp_path: Path
) -> None:
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


def test_no_server_that_asks_for_thinking_makes_the_student_read_what_it_was_not_trained_on(
    family: Family, chat: ChatFormat
) -> None:
    asked = chat._chat._compiled.render(
        messages=[{"role": "user", "content": "Hi"}], add_generation_prompt=True, enable_thinking=True,
        bos_token=family.bos, eos_token=family.eos or family.stop,
    )  # fmt: skip
    assert asked == family.free


def test_a_system_message_is_kept_once_or_refused(family: Family, chat: ChatFormat) -> None:
    behind = Prompt((Message("system", RULE), *TURNS))
    if not family.takes_system:
        with pytest.raises(ModelError, match="no place for a system message"):
            chat.prompted_ids(behind, HI)
        return
    text = chat.decode(chat.prompted_ids(behind, HI))
    assert text.count(RULE) == 1
    assert "You are" not in text


def test_an_answer_has_the_ids_that_it_has_in_the_whole_conversation(chat: ChatFormat) -> None:
    answer = "Hello, it is."
    whole = chat._encode(chat._chat.render((*HI, Message("assistant", answer)), generation_prompt=False))
    ids = [*chat.question_ids(HI), *chat.completion_ids(answer)]
    assert whole[: len(ids)] == ids
    assert chat.decode(chat.completion_ids(answer)) == answer
    spans = chat.token_spans(chat.completion_ids(answer))
    assert {place for start, end in spans for place in range(start, end)} == set(range(len(answer)))


@settings(max_examples=60)
@given(st.lists(st.integers(0, 1 << 16), max_size=12))
def test_any_ids_can_be_streamed_and_say_what_they_say_at_once(chat: ChatFormat, draws: list[int]) -> None:
    ids = [draw % chat._tokenizer.get_vocab_size() for draw in draws]
    ids = [token for token in ids if token not in chat.stop_ids]
    feed = chat.text_stream()
    streamed, whole = "".join(feed([token]) for token in ids), chat.decode(ids)
    assert "\ufffd" in whole or streamed == whole  # bytes that are no text: what was told cannot be taken back


def test_the_stop_token_ends_every_completion_and_decoding(
    family: Family, chat: ChatFormat, local: LocalModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = family.special.index(family.stop)
    ids = chat.completion_ids("Hello.")
    assert [token for token in ids if token in chat.stop_ids] == ids[-1:] == [stop]
    assert chat.stop_ids == {family.special.index(token) for token in family.ends}
    for end in chat.stop_ids:  # each of them, whichever the model draws
        monkeypatch.setattr("engine.model.decode.sample", lambda *_, end=end: torch.tensor([end]))
        (decoded,) = decode(local, [chat.question_ids(HI)], temperature=0.0, max_new_tokens=5, seeds=[0])
        assert (decoded.ids, decoded.finish_reason) == ((end,), "stop")
        assert chat.decode(decoded.ids) == ""


def test_the_prompts_prefix_is_what_questions_share_and_no_less(chat: ChatFormat, prompt: Prompt) -> None:
    always, alone = chat.prompt_prefix_ids(prompt), chat.prompt_prefix_ids(prompt, single_turn=True)
    assert alone[: len(always)] == always
    assert chat.prompted_ids(prompt, LONGER)[: len(always)] == always
    rows = [chat.prompted_ids(prompt, (Message("user", text),)) for text in ("Hi", "\n", "  x", "é")]
    assert all(row[: len(alone)] == alone for row in rows)
    shared = chat.decode(alone)
    assert all(message.content in shared for message in prompt.messages)


def whole_logits(local: LocalModel, ids: list[int]) -> Tensor:
    """The model's own forward pass with transformers' eager attention, which shares no code with ours."""
    ours = local.base.config._attn_implementation
    local.base.set_attn_implementation("eager")
    try:
        with torch.inference_mode():
            logits: Tensor = local.base(input_ids=torch.tensor([ids]), use_cache=False).logits[0]
    finally:
        local.base.set_attn_implementation(ours)
    return logits


def test_behind_the_shared_prompt_the_logits_are_those_of_a_whole_forward_pass(
    chat: ChatFormat, local: LocalModel, prompt: Prompt
) -> None:
    prefix = PromptCache.build(local, chat.prompt_prefix_ids(prompt, single_turn=True))
    row = [*chat.prompted_ids(prompt, HI), *chat.completion_ids("Hello, it is.")]
    own = prefix.own_part(row)
    assert prefix.length > 12  # longer than the sliding window of those that have one
    positions = torch.arange(prefix.length, len(row))[None]
    with torch.inference_mode():
        found = local.logits(forward_shared(local, prefix, torch.tensor([own]), positions, None))[0]
    torch.testing.assert_close(found, whole_logits(local, row)[prefix.length :], rtol=1e-3, atol=1e-3)


def test_decoding_and_scoring_behind_the_shared_prompt_agree_with_the_whole_forward_pass(
    chat: ChatFormat, local: LocalModel, prompt: Prompt
) -> None:
    prefix = PromptCache.build(local, chat.prompt_prefix_ids(prompt, single_turn=True))
    row = chat.prompted_ids(prompt, HI)
    (decoded,) = decode(local, [row], prefix=prefix, temperature=0.0, max_new_tokens=16, seeds=[0])
    logits = whole_logits(local, [*row, *decoded.ids])[len(row) - 1 : -1]
    chosen = logits.gather(1, torch.tensor(decoded.ids)[:, None])[:, 0]
    assert (logits.max(dim=1).values - chosen).max() < 1e-3
    (top,) = score(local, [ScoreRow(row, decoded.ids)], prefix=prefix, k=4)
    expected = torch.log_softmax(logits, dim=-1).gather(1, torch.tensor(decoded.ids)[:, None])[:, 0]
    torch.testing.assert_close(top.completion_logprobs, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("name", "options", "why"),
    [
        ("GptOssConfig", {"num_local_experts": 2, "num_experts_per_tok": 1}, "attention sinks"),
        ("Lfm2Config", {"layer_types": ["conv", "full_attention"]}, "does not reproduce it"),
        ("MambaConfig", {}, "does not reproduce it"),
    ],
)
def test_an_architecture_that_cannot_share_a_prompt_is_refused_by_name(
    tmp_path: Path, name: str, options: dict[str, object], why: str
) -> None:
    folder = make_tiny_family(tmp_path / "odd", replace(FAMILIES["qwen2.5"], config=name, options=options))
    with pytest.raises(ModelError, match=f"architecture is not supported.*odd.*{why}.*Choose a decoder"):
        load_base(folder, device="cpu", dtype="float32")


STRETCHED: dict[str, object] = {
    "original_max_position_embeddings": 64,
    "rope_parameters": {
        "rope_type": "longrope", "rope_theta": 1e4, "short_factor": [1.0] * 4, "long_factor": [4.0] * 4,
        "original_max_position_embeddings": 64,
    }
}  # fmt: skip


def test_a_model_that_reads_longer_texts_otherwise_is_read_as_far_as_all_is_alike(tmp_path: Path) -> None:
    stretched = replace(FAMILIES["phi3"], options=STRETCHED)
    local = load_base(make_tiny_family(tmp_path / "long", stretched), device="cpu", dtype="float32")
    assert (local.format.context_length, local.format.declared_context_length) == (64, 2_048)
    assert any("limited to 64 tokens, although the model accepts 2,048" in note for note in local.format.notes)
    ids = [7 * number % 50 + 1 for number in range(70)]
    for whole, alike in ((64, True), (70, False)):  # beyond them a prompt that is read for itself is another
        prefix = PromptCache.build(local, ids[:50])
        positions = torch.arange(50, whole)[None]
        with torch.inference_mode():
            found = local.logits(forward_shared(local, prefix, torch.tensor([ids[50:whole]]), positions, None))[0]
        assert torch.allclose(found, whole_logits(local, ids[:whole])[50:], atol=1e-3) == alike
    with pytest.raises(ContextError, match="It takes 65 tokens; the limit is 64"):
        PromptCache.build(local, ids[:65])
    with pytest.raises(ContextError, match="the limit is 64"):
        decode(local, [ids[:60]], temperature=0.0, max_new_tokens=8, seeds=[0])


@pytest.mark.parametrize(
    ("words", "length"),
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
def test_how_far_all_is_alike_is_told_by_the_configuration(
    tmp_path: Path, words: dict[str, object], length: int
) -> None:
    folder = make_tiny_family(tmp_path / "model", FAMILIES["llama3"])
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "rope_parameters": None, **words}))
    assert ChatFormat.load(folder).context_length == length


def test_a_model_whose_positions_are_stretched_only_beyond_its_context_shares_a_prompt(tmp_path: Path) -> None:
    dynamic: dict[str, object] = {"rope_parameters": {"rope_type": "dynamic", "rope_theta": 1e4, "factor": 4.0}}
    family = replace(FAMILIES["llama3"], options=dynamic)
    folder = make_tiny_family(tmp_path / "dynamic", family, context_length=64)
    local = load_base(folder, device="cpu", dtype="float32")
    ids = [7 * number % 50 + 1 for number in range(64)]
    prefix = PromptCache.build(local, ids[:40])
    with torch.inference_mode():
        found = local.logits(forward_shared(local, prefix, torch.tensor([ids[40:]]), torch.arange(40, 64)[None], None))[
            0
        ]
    torch.testing.assert_close(found, whole_logits(local, ids)[40:], rtol=1e-3, atol=1e-3)


def test_the_targets_are_all_linear_layers_of_a_text_model(local: LocalModel) -> None:
    assert lora_targets(local) == "all-linear"


def test_towers_that_see_are_not_adapted(tmp_path: Path) -> None:
    folder = make_tiny_family(tmp_path / "sees", FAMILIES["gemma3"])
    config = Gemma3Config(
        text_config=Gemma3TextConfig.from_pretrained(folder).to_dict(),
        vision_config={
            "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 4,
            "image_size": 28, "patch_size": 14,
        },
        mm_tokens_per_image=4,
    )  # fmt: skip
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    local = load_base(folder, device="cpu", dtype="float32")
    targets = lora_targets(local)
    assert not isinstance(targets, str)
    assert {name.rpartition(".")[2] for name in targets} == {
        "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj",
    }  # fmt: skip
    assert len(targets) == 2 * 7
    assert all("language_model.layers" in name for name in targets)
    with quiet_libraries():
        model = get_peft_model(local.base, LoraConfig(r=2, target_modules=targets, task_type="CAUSAL_LM"))
    adapted = {name.split(".lora_A")[0].split("base_model.model.")[1]
               for name, _ in model.named_parameters() if ".lora_A" in name}  # fmt: skip
    assert adapted == set(targets)
    assert read_shapes(folder).lora_parameters(2) == sum(
        weight.numel() for weight in model.parameters() if weight.requires_grad
    )


def test_every_linear_layer_is_adapted_but_the_output_head_and_tied_weights_stay_whole(
    folder: Path, tmp_path: Path
) -> None:
    adapter = make_tiny_adapter(folder, tmp_path / "adapter")
    local = with_adapter(load_base(folder, device="cpu", dtype="float32"), adapter)
    head = local.base.get_output_embeddings()
    layers = {
        part for part, module in local.base.named_modules()
        if isinstance(module, nn.Linear) and module is not head and "lora" not in part
    }  # fmt: skip
    adapted = {part.removesuffix(".base_layer") for part in layers if part.endswith(".base_layer")}
    assert adapted == {part.removesuffix(".base_layer") for part in layers}
    assert not any("head" in part or "embed" in part for part in adapted)
    fused = json.loads((folder / "config.json").read_text())["model_type"] == "phi3"
    assert any("qkv_proj" in part for part in adapted) == fused
    assert not hasattr(head, "lora_A")
    tied = json.loads((folder / "config.json").read_text())["tie_word_embeddings"]
    assert (head.weight is local.base.get_input_embeddings().weight) == tied
