"""Shapes of chat templates beyond those of the tested families: what opens a conversation, a turn or an answer."""

import re

import pytest
from jinja2.sandbox import ImmutableSandboxedEnvironment

from engine.errors import ModelError
from engine.model.chat_template import QUESTION, ChatTemplate
from engine.records.prompt import Message

TURNS = (Message("user", "One"), Message("assistant", "Two"), Message("user", "Three"))
SYSTEM = Message("system", "Be brief.")
_LOOP = "{% for message in messages %}BODY{% endfor %}"
_PLAIN = "{{ '<|' + message.role + '|>' + message.content + '<|end|>' }}"
_PROMPT = "{% if add_generation_prompt %}PROMPT{% endif %}"


def answered_with(opening: str) -> str:
    """A loop's body that writes `opening` before the text of every answer."""
    return (
        "{% if message.role == 'assistant' %}" + opening + "{{ message.content + '<|end|>' }}{% else %}"
        + _PLAIN + "{% endif %}"
    )  # fmt: skip


def template(start: str = "", body: str = _PLAIN, prompt: str = "<|assistant|>") -> ChatTemplate:
    source = start + _LOOP.replace("BODY", body) + _PROMPT.replace("PROMPT", prompt)
    return ChatTemplate.detect(source, {"eos_token": "<|end|>"})


def free(found: ChatTemplate) -> str:
    return found.render((Message("user", "Hi"),))


def test_marks_that_open_every_conversation_are_kept() -> None:
    """GLM's: no tokenizer calls them a begin-of-text token."""
    found = template("[gMASK]<sop>")
    assert free(found) == "[gMASK]<sop><|user|>Hi<|end|><|assistant|>"
    assert found.default_system is None
    assert found.render((SYSTEM, *QUESTION)).startswith("[gMASK]<sop><|system|>Be brief.<|end|><|user|>")


def test_template_that_takes_only_lists_of_parts_is_given_texts() -> None:
    """SmolVLM's. The template of a release takes both, as servers write either."""
    body = "{{ '<|' + message.role + '|>' }}{% for part in message.content %}{{ part.text }}{% endfor %}<|end|>"
    found = template(body=body)
    assert free(found) == "<|user|>Hi<|end|><|assistant|>"
    assert found.render((SYSTEM, *TURNS)) == (
        "<|system|>Be brief.<|end|><|user|>One<|end|><|assistant|>Two<|end|><|user|>Three<|end|><|assistant|>"
    )
    in_parts = [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]
    released = ImmutableSandboxedEnvironment().from_string(found.source)
    assert released.render(messages=in_parts, add_generation_prompt=True) == free(found)


def test_empty_system_message_is_removed_and_called_empty() -> None:
    """Nemotron's."""
    found = template("{% if messages[0].role != 'system' %}<|system|><|end|>{% endif %}")
    assert free(found) == "<|user|>Hi<|end|><|assistant|>"
    assert found.default_system == ""


def test_default_is_removed_although_an_answer_is_only_ended_by_the_next_turn() -> None:
    """Apertus'."""
    body = (
        "{% if message.role == 'user' and not loop.first and messages[loop.index0 - 1].role == 'assistant' %}<|end|>"
        "{% endif %}{{ '<|' + message.role + '|>' + message.content }}"
        "{% if message.role != 'assistant' %}<|close|>{% endif %}"
    )
    found = template("{% if messages[0].role != 'system' %}<|system|>You are Apt.<|close|>{% endif %}", body)
    assert free(found) == "<|user|>Hi<|close|><|assistant|>"
    assert found.default_system == "You are Apt."
    assert found.render(TURNS) == ("<|user|>One<|close|><|assistant|>Two<|end|><|user|>Three<|close|><|assistant|>")


@pytest.mark.parametrize(
    ("prompt", "before_answer"),
    [
        ("<|assistant|>", "<|assistant|><|channel|>final<|message|>"),  # gpt-oss'
        ("<|assistant|>", "<|assistant|><think></think>"),  # Kimi K2's
        ("<|assistant|><|open|>think", "<|assistant|><|open|>think<|close|>think<|open|>response"),  # Kimi K3's
    ],
)
def test_generation_prompt_ends_where_the_text_of_an_answer_begins(prompt: str, before_answer: str) -> None:
    found = template(body=answered_with(before_answer), prompt=prompt)
    assert free(found) == f"<|user|>Hi<|end|>{before_answer}"
    assert found.without_thinking == ("think" in before_answer)
    answered = found.render((Message("user", "Hi"), Message("assistant", "Yes.")), generation_prompt=False)
    assert answered == f"{free(found)}Yes.<|end|>"


def test_mark_that_also_ends_an_answer_does_not_open_the_first_question() -> None:
    body = (
        "{{ '<|' + message.role + '|>' + message.content }}"
        "{% if message.role == 'assistant' and loop.last %}<|return|>{% else %}<|end|>{% endif %}"
    )
    found = template("<|system|>You are Gep.<|end|>", body)
    assert free(found) == "<|user|>Hi<|end|><|assistant|>"


def test_switch_called_reasoning_is_turned_off() -> None:
    """Cohere's; its answers begin with a mark of their own."""
    switch = "{% set reasoning = reasoning if reasoning is not undefined else true %}"
    prompt = "<|assistant|><|START_THINKING|>{% if not reasoning %}<|END_THINKING|>{% endif %}"
    found = template(switch, answered_with("<|assistant|><|text|>"), prompt)
    assert found.without_thinking
    assert free(found) == "<|user|>Hi<|end|><|assistant|><|START_THINKING|><|END_THINKING|><|text|>"


@pytest.mark.parametrize(
    ("closed", "before_answer"),
    [
        ("<think></think>", "</think>"),  # DeepSeek's
        ("<think>\n\n</think>\n\n", ""),  # Qwen's
        ("<|channel>thought\n<channel|>", ""),  # Gemma's
    ],
)
def test_closed_thinking_block_that_earlier_answers_lack_stays_as_it_is(closed: str, before_answer: str) -> None:
    found = template(body=answered_with(f"<|assistant|>{before_answer}"), prompt=f"<|assistant|>{closed}")
    assert free(found) == f"<|user|>Hi<|end|><|assistant|>{closed}"


def test_template_that_begins_answers_with_prose_is_refused() -> None:
    with pytest.raises(ModelError, match=re.escape("It writes: Here are my steps:")):
        template(prompt="<|assistant|>Here are my steps:")


def test_tools_are_none_as_transformers_passes_them() -> None:
    assert free(template("{% if tools is not none %}TOOLS{% endif %}")) == "<|user|>Hi<|end|><|assistant|>"
