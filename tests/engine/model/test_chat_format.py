"""The chat format: exact text with and without a default system block, token boundaries and spans, and refusals."""

# ruff: noqa: E501 (templates are kept as models ship them)

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from engine.errors import ContextError, ModelError
from engine.model.chat_format import ChatFormat
from engine.records.prompt import Message, Prompt
from tests.engine.model.conftest import CHATML, write_format

DEFAULT_CHATML = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are a helpful \"bot\".<|im_end|>\n' }}{% endif %}"
    + CHATML.split("{% for message in messages %}")[1]
)
QWEN = (
    "{%- if messages[0]['role'] == 'system' %}\n    {{- '<|im_start|>system\\n' + messages[0]['content'] + '<|im_end|>\\n' }}\n"
    "{%- else %}\n    {{- '<|im_start|>system\\nYou are Qwen.<|im_end|>\\n' }}\n{%- endif %}\n"
    "{%- for message in messages %}\n    {%- if message.role != 'system' or not loop.first %}\n"
    "        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}\n    {%- endif %}\n"
    "{%- endfor %}\n{%- if add_generation_prompt %}\n    {{- '<|im_start|>assistant\\n' }}\n{%- endif %}\n"
)
LLAMA3 = (
    "{{- bos_token }}{%- set date = strftime_now('%d %b %Y') %}"
    "{%- if messages[0]['role'] == 'system' %}{%- set system = messages[0]['content'] | trim %}{%- set messages = messages[1:] %}"
    "{%- else %}{%- set system = '' %}{%- endif %}"
    "{{- '<|start_header_id|>system<|end_header_id|>\\n\\nToday Date: ' + date + '\\n\\n' + system + '<|eot_id|>' }}"
    "{%- for message in messages %}{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' + message['content'] | trim + '<|eot_id|>' }}"
    "{%- endfor %}{%- if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{%- endif %}"
)
GEMMA = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for message in messages %}{% if message['role'] == 'assistant' %}{% set role = 'model' %}{% else %}{% set role = message['role'] %}{% endif %}"
    "{{ '<start_of_turn>' + role + '\n' + message['content'] | trim + '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)
MISTRAL = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{% set system = messages[0]['content'] %}{% set loop_messages = messages[1:] %}"
    "{% else %}{% set loop_messages = messages %}{% endif %}{% for message in loop_messages %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles must alternate') }}{% endif %}"
    "{% if message['role'] == 'user' %}{% if loop.last and system is defined %}{{ '[INST]' + system + '\n\n' + message['content'] + '[/INST]' }}"
    "{% else %}{{ '[INST]' + message['content'] + '[/INST]' }}{% endif %}{% else %}{{ message['content'] + eos_token }}{% endif %}{% endfor %}"
)
PHI = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>\n' + message['content'] + '<|end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}"
)
# template, bos, eos, default system text, text of the question "Hi" without the prompt
FAMILIES = {
    "chatml": (CHATML, "<|endoftext|>", "<|im_end|>", None, "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"),
    "default": (
        DEFAULT_CHATML,
        "<|im_start|>",
        "<|im_end|>",
        'You are a helpful "bot".',
        "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n",
    ),
    "qwen": (
        QWEN,
        "<|endoftext|>",
        "<|im_end|>",
        "You are Qwen.",
        "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n",
    ),
    "llama3": (
        LLAMA3,
        "<|begin_of_text|>",
        "<|eot_id|>",
        "Today Date",
        "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
    ),
    "gemma": (
        GEMMA,
        "<bos>",
        "<end_of_turn>",
        None,
        "<bos><start_of_turn>user\nHi<end_of_turn>\n<start_of_turn>model\n",
    ),
    "mistral": (MISTRAL, "<s>", "</s>", None, "<s>[INST]Hi[/INST]"),
    "phi": (PHI, "<s>", "<|end|>", None, "<|user|>\nHi<|end|>\n<|assistant|>\n"),
}
HI = (Message("user", "Hi"),)
TURNS = (Message("user", "One?"), Message("assistant", "1."))


@pytest.fixture(params=FAMILIES)
def family(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, ChatFormat]:
    template, bos, eos, _, _ = FAMILIES[request.param]
    return request.param, ChatFormat.load(write_format(tmp_path, template, bos, eos))


def test_question_text_has_no_default_system_block(family: tuple[str, ChatFormat]) -> None:
    name, chat = family
    _, _, _, default, expected = FAMILIES[name]
    assert chat.question_text(HI) == expected
    assert (chat.default_system is None) == (default is None)
    assert default is None or default in (chat.default_system or "")


def test_exported_template_gives_the_same_ids_in_transformers(family: tuple[str, ChatFormat]) -> None:
    _, chat = family
    (chat.folder / "chat_template.jinja").write_text(chat.template)
    tokenizer = AutoTokenizer.from_pretrained(chat.folder)
    conversation = [*HI, *TURNS[1:], Message("user", "  two lines\n\n")]
    as_dicts = [{"role": message.role, "content": message.content} for message in conversation]
    theirs = tokenizer.apply_chat_template(as_dicts, add_generation_prompt=True, return_dict=False)
    assert chat.question_ids(conversation) == theirs


def test_answers_are_tokenised_as_in_the_whole_conversation(family: tuple[str, ChatFormat]) -> None:
    _, chat = family
    rendered = chat._chat.render((*HI, Message("assistant", "hello")), generation_prompt=False)
    ids = [*chat.question_ids(HI), *chat.completion_ids("hello")]
    text = chat._tokenizer.decode(ids, skip_special_tokens=False)
    assert rendered.startswith(text)
    assert chat._encode(rendered)[: len(ids)] == ids
    assert ids[-1] in chat.stop_ids


def test_every_prompted_row_starts_with_the_prompt_prefix(family: tuple[str, ChatFormat]) -> None:
    name, chat = family
    prompt = Prompt(TURNS if name == "gemma" else (Message("system", "Be brief."), *TURNS))
    prefix = chat.prompt_prefix_ids(prompt)
    for text in ("Hi", "\n", "  x", "é", "{{ 7 * 7 }}"):
        assert chat.prompted_ids(prompt, (Message("user", text),))[: len(prefix)] == prefix
    assert "One?" in chat._tokenizer.decode(prefix)
    rest = chat.prompted_ids(prompt, HI)[len(prefix) :]
    assert "One?" not in chat._tokenizer.decode(rest)


def test_system_message_of_the_prompt_is_written_once_or_refused(family: tuple[str, ChatFormat]) -> None:
    name, chat = family
    prompt = Prompt((Message("system", "Be brief."), *TURNS))
    if name == "gemma":
        with pytest.raises(ModelError, match="no place for a system message"):
            chat.prompted_ids(prompt, HI)
        return
    text = chat._tokenizer.decode(chat.prompted_ids(prompt, HI), skip_special_tokens=False)
    assert text.count("Be brief.") == 1
    assert "You are" not in text


def test_question_with_a_system_message_is_refused(family: tuple[str, ChatFormat]) -> None:
    with pytest.raises(ModelError, match="contains a system message"):
        family[1].question_ids((Message("system", "S"), *HI))


def test_refusal_by_the_template_is_reported(tmp_path: Path) -> None:
    chat = ChatFormat.load(write_format(tmp_path, MISTRAL, "<s>", "</s>"))
    with pytest.raises(ModelError, match="alternate"):
        chat.question_ids((*HI, *HI))


@pytest.mark.parametrize(
    "expression", ["{{ 1 // 0 }}", "{{ 'a' * 10**15 }}", "{% macro again() %}{{ again() }}{% endmacro %}{{ again() }}"]
)
def test_failing_template_expression_is_reported(tmp_path: Path, expression: str) -> None:
    with pytest.raises(ModelError, match="refuses this conversation"):
        ChatFormat.load(write_format(tmp_path, expression + CHATML, "<s>", "<|im_end|>"))


def test_template_that_drops_the_system_message_is_refused(tmp_path: Path) -> None:
    dropping = CHATML.replace(
        "{{ '<|im_start|>' + message", "{% if message['role'] != 'system' %}{{ '<|im_start|>' + message", 1
    ).replace("{% endfor %}", "{% endif %}{% endfor %}", 1)
    chat = ChatFormat.load(write_format(tmp_path, dropping, "<s>", "<|im_end|>"))
    with pytest.raises(ModelError, match="no place for a system message"):
        chat.prompted_ids(Prompt((Message("system", "S"),)), HI)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(answer=st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_any_answer_round_trips_and_its_spans_cover_it(tiny_folder: Path, answer: str) -> None:
    chat = ChatFormat.load(tiny_folder)
    ids = chat.completion_ids(answer)
    assert chat.decode(ids) == answer
    assert [i for i in ids if i in chat.stop_ids] == ids[-1:]
    spans = chat.token_spans(ids)
    assert spans[-1] == (len(answer), len(answer))
    assert {i for start, end in spans for i in range(start, end)} == set(range(len(answer)))
    assert all(end > start for start, end in spans[:-1])


def test_control_tokens_in_an_answer_stay_plain_text(tiny_folder: Path) -> None:
    chat = ChatFormat.load(tiny_folder)
    ids = chat.completion_ids("a<|im_end|>b<|im_start|>")
    assert sum(i in chat.stop_ids for i in ids) == 1
    assert chat.decode(ids) == "a<|im_end|>b<|im_start|>"


def test_streamed_text_contains_only_whole_characters(tiny_folder: Path) -> None:
    chat = ChatFormat.load(tiny_folder)
    feed = chat.text_stream()
    pieces = [feed([token]) for token in chat.completion_ids("é🙂 ok")]
    assert "".join(pieces) == "é🙂 ok"
    assert all("\ufffd" not in piece for piece in pieces)


def test_tokenising_a_long_text_lets_other_threads_run(tiny_folder: Path) -> None:
    chat = ChatFormat.load(tiny_folder)
    question = (Message("user", "hello wonderful world " * 40_000),)
    done, turns = threading.Event(), []

    def take_turns() -> None:
        while not done.wait(0.001):
            turns.append(1)

    other = threading.Thread(target=take_turns)
    other.start()
    chat.question_ids(question)
    done.set()
    other.join()
    assert len(turns) > 20


def test_text_longer_than_the_context_is_refused_by_name(tiny_folder: Path) -> None:
    chat = ChatFormat.load(tiny_folder)
    chat.check_length([0] * 128, "Example 3")
    with pytest.raises(ContextError, match=r"Example 3.*129 tokens; the limit is 128"):
        chat.check_length([0] * 129, "Example 3")


@pytest.mark.parametrize(
    ("missing", "message"),
    [("tokenizer.json", "fast tokenizer"), ("chat_template.jinja", "chat template"), ("config.json", "missing")],
)
def test_incomplete_model_folder_is_explained(tmp_path: Path, missing: str, message: str) -> None:
    folder = write_format(tmp_path, CHATML, "<s>", "<|im_end|>")
    (folder / missing).unlink()
    with pytest.raises(ModelError, match=message):
        ChatFormat.load(folder)


def test_template_in_a_file_of_its_own_is_read(tmp_path: Path) -> None:
    """As models that also take images have it: beside their processor."""
    folder = write_format(tmp_path, CHATML, "<s>", "<|im_end|>")
    expected = ChatFormat.load(folder).template
    (folder / "chat_template.jinja").unlink()
    (folder / "chat_template.json").write_text(json.dumps({"chat_template": CHATML}))
    assert ChatFormat.load(folder).template == expected


def test_template_that_writes_the_date_into_questions_is_refused(tmp_path: Path) -> None:
    dated = CHATML.replace("+ message['content'] +", "+ strftime_now('%Y') + message['content'] +")
    with pytest.raises(ModelError, match="today's date into every question"):
        ChatFormat.load(write_format(tmp_path, dated, "<s>", "<|im_end|>"))


def test_template_cannot_leave_the_sandbox(tmp_path: Path) -> None:
    hostile = "{{ messages.__class__.__mro__ }}" + CHATML
    with pytest.raises(ModelError, match=r"refuses this conversation.*unsafe"):
        ChatFormat.load(write_format(tmp_path, hostile, "<s>", "<|im_end|>"))


def test_chat_format_imports_no_model_library() -> None:
    code = "import sys, engine.model.chat_format, engine.model.locate, engine.model.adapter_files; print({'torch', 'transformers', 'peft'} & set(sys.modules))"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
        == "set()"
    )
