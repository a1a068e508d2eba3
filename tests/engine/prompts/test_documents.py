"""Prompt files in Markdown, YAML and JSON: same prompt, exact round trips, and errors that name the place."""

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import UsageError
from engine.prompts.documents import diff_prompts, parse_prompt, prompt_to_markdown, turn_headings
from engine.records.prompt import Message, Prompt, messages_to_json

PROMPT = Prompt(
    (
        Message("system", "You are a bank's assistant.\n\n## Style\nBe brief."),
        Message("user", "Where is my card?"),
        Message("assistant", "RISK SCORE: 1.\nOn its way."),
    )
)
MARKDOWN = """You are a bank's assistant.

## Style
Be brief.

## User

Where is my card?

## Assistant

RISK SCORE: 1.
On its way.
"""


def chat(*pairs: tuple[str, object]) -> str:
    return json.dumps([{"role": role, "content": content} for role, content in pairs])


def test_markdown_is_parsed_and_written() -> None:
    assert parse_prompt(MARKDOWN) == PROMPT
    assert prompt_to_markdown(PROMPT) == MARKDOWN
    assert parse_prompt("\ufeff" + MARKDOWN.replace("\n", "\r\n")) == PROMPT


def test_yaml_and_json_give_the_same_prompt() -> None:
    messages = json.loads(messages_to_json(PROMPT.messages))
    assert parse_prompt("# ours\n---\n" + yaml.safe_dump({"messages": messages})) == PROMPT
    assert parse_prompt(json.dumps(messages)) == PROMPT
    assert parse_prompt(json.dumps({"model": "m", "tools": [], "messages": messages})) == PROMPT


def test_text_parts_are_joined_and_developer_becomes_system() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert parse_prompt(chat(("developer", parts))) == Prompt((Message("system", "a\nb"),))


@pytest.mark.parametrize("text", ["[ROLE] You are kind.", "{{persona}}", "messages: are short", "messages:\n\nare"])
def test_text_that_only_starts_like_yaml_or_json_is_markdown(text: str) -> None:
    assert parse_prompt(text) == Prompt((Message("system", text),))


fragments = [
    "a",
    "b ",
    "\n",
    "\\",
    "#",
    "[",
    "{",
    "}",
    ":",
    '"',
    "é",
    "🙂",
    "## User",
    "\n## Assistant\n",
    "messages:\n",
    "\n- ",
    '"role"',
    '{"a": 1}\n',
    "\u2028",
]
contents = st.lists(st.sampled_from(fragments), max_size=8).map(lambda parts: "".join(parts).strip()).filter(bool)


@given(st.none() | contents, st.lists(st.tuples(contents, contents), max_size=3))
def test_any_prompt_survives_the_markdown_and_json_round_trip(system: str | None, turns: list[tuple[str, str]]) -> None:
    messages = [Message("system", system)] if system else []
    for user, assistant in turns:
        messages += [Message("user", user), Message("assistant", assistant)]
    if messages:
        prompt = Prompt(tuple(messages))
        assert parse_prompt(prompt_to_markdown(prompt)) == prompt
        assert parse_prompt(messages_to_json(prompt.messages)) == prompt


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "contains no messages"),
        (" \n ", "contains no messages"),
        ("[]", "contains no messages"),
        ('{"a": 1}', "list of messages"),
        ('[{"role": "system", "content": "a"', "Invalid JSON"),
        ("messages:\n  - role: [", "Invalid YAML at line"),
        ("messages:\n- 3", "Message 1: it is not a mapping"),
        ("messages: [{role: system, content: 3}]", "neither text nor"),
        (chat(("system", "a"), ("critic", "b")), "Message 2: unknown role 'critic'; allowed: system, user, assistant"),
        (chat(("user", "a"), ("system", "b")), "Message 2: a system message must come first"),
        (chat(("system", "a"), ("assistant", "b")), "Message 2: the role is assistant, expected user"),
        (chat(("user", "a"), ("user", "b")), "Message 2: the role is user, expected assistant"),
        (chat(("system", "a"), ("user", "b")), "Message 2: the last example turn has no answer"),
        (chat(("system", " ")), "Message 1: its content is empty"),
        (chat(("system", "a\ud800")), "Message 1: character 2 is half a surrogate pair"),
        ("a\ud800", "Message 1: character 2 is half a surrogate pair"),
        (chat(("user", [{"type": "image_url", "image_url": {"url": "x"}}])), "Message 1: images are not supported"),
        (chat(("user", [{"type": "input_audio"}])), "Message 1: parts of type 'input_audio' are not supported"),
        (chat(("system", "a"), ("tool", "b")), "Message 2: tool calls are not supported (role tool)"),
        (
            '[{"role": "assistant", "content": null, "tool_calls": [{"id": "1"}]}]',
            "Message 1: tool calls are not supported (tool_calls)",
        ),
        ('{"messages": [], "tools": [{}]}', "declares tools"),
        ('[{"role": "system", "content": "a", "name": "b"}]', "Message 1: unknown field name"),
        ('[{"role": "system', "Invalid JSON: Unterminated string starting at line 1"),
        ("a\n## User\n\n## Assistant\nb", "Line 2, “## User”: there is no text under this heading"),
        ("a\n\n## User\nb", "Line 3, “## User”: the last example turn has no answer"),
        ("a\n## assistant\nb", "Line 2, “## assistant”: the role is assistant, expected user"),
        ("a\n\nb\n## System\nc", "Line 4, “## System”: a system message must come first"),
        ("a" * 2_000_001, "larger than 2000000 bytes"),
        (chat(*[("user", "a")] * 501), "at most 500"),
        ("[" * 100_000 + '"role"', "Invalid JSON"),
    ],
    ids=lambda value: value[:40],
)
def test_invalid_document_is_refused_with_what_and_where(text: str, expected: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_prompt(text, "prompt.md")
    assert caught.value.title == "The prompt cannot be read from prompt.md."
    assert expected in caught.value.message


@pytest.mark.parametrize("text", ["a\n## User\nb", "a\n## System\nb", "a\n## User\n## Assistant\nb"])
def test_refused_heading_can_be_kept_as_text(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_prompt(text)
    assert r"put a backslash before it: \## User" in caught.value.next
    escaped = text.replace("## ", r"\## ")
    assert parse_prompt(escaped) == Prompt((Message("system", text),))
    assert turn_headings(escaped) == ()


def test_headings_of_example_turns_have_their_lines() -> None:
    assert turn_headings(MARKDOWN) == ((6, "## User"), (10, "## Assistant"))
    assert turn_headings("## System\na\n## USER  \nb\n## Assistant\nc") == ((3, "## USER"), (5, "## Assistant"))
    assert turn_headings(json.dumps([{"role": "user", "content": "a\n## User"}])) == ()


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("text,topic\nOpen?,hours\n", "q.csv"),
        ("text\ttopic\n", "folder/Q.TSV"),
        ("PAR1", "q.parquet"),
        ('{"text": "Open?"}\n\n{"text": "Shut?"}\n', "q.jsonl"),
        ('{"text": "Open?"}\n{"text": "Shut?"}\n', "-"),
    ],
)
def test_file_of_questions_is_refused_with_the_command_that_imports_it(text: str, source: str) -> None:
    with pytest.raises(UsageError, match="questions") as caught:
        parse_prompt(text, source)
    assert caught.value.next.endswith(f"distill-tui questions import {source}")


@pytest.mark.parametrize("source", ["p.txt", "p.prompt", "p", "p.j2", "p.csv.md"])
def test_prompt_is_read_from_a_file_of_any_other_name(source: str) -> None:
    assert parse_prompt("{{persona}}\nBe brief, kind.", source).system == "{{persona}}\nBe brief, kind."
    assert parse_prompt('{\n"messages": [{"role": "system", "content": "a"}]}', "p.jsonl").system == "a"


def test_diff_shows_only_changed_lines() -> None:
    changed = Prompt((Message("system", "You are a bank's assistant.\n\n## Style\nBe thorough."), *PROMPT.messages[1:]))
    lines = diff_prompts(PROMPT, changed).splitlines()
    assert lines[:2] == ["--- before", "+++ after"]
    assert [line for line in lines[2:] if line[0] in "+-"] == ["-Be brief.", "+Be thorough."]
    assert diff_prompts(PROMPT, PROMPT) == ""


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("rules: [{text: Be brief, check: {kind: rubric}}]", "rules.yaml"),
        ("rules: [", "p.YML"),
        ("Be brief.", "p.json"),
    ],
)
def test_yaml_or_json_file_without_messages_is_refused(text: str, source: str) -> None:
    with pytest.raises(UsageError, match=f"cannot be read from {source}"):
        parse_prompt(text, source)
    assert parse_prompt(text, "p.md").system == text


NINE_ALIASES = ", ".join(["*{0}"] * 9)
BOMB = ", ".join(["&a0 [x, x]", *(f"&a{n} [{NINE_ALIASES.format(f'a{n - 1}')}]" for n in range(1, 9))])
MERGED = "".join(f"- &a{n}\n  <<: [{NINE_ALIASES.format(f'a{n - 1}')}]\n" for n in range(1, 8))


@pytest.mark.parametrize(
    "text",
    [f"messages:\n- role: system\n  content: a\n- role: [{BOMB}]\n", f"messages:\n- &a0 {{a: 1, b: 2}}\n{MERGED}"],
    ids=["named", "merged"],
)
def test_nested_yaml_aliases_are_refused_before_they_exhaust_memory(text: str) -> None:
    with pytest.raises(UsageError, match="more than 200,000 values"):
        parse_prompt(text)


@pytest.mark.parametrize("value", ["!!bool maybe", "!!timestamp soon", '!!int ""'])
def test_yaml_value_that_does_not_match_its_tag_is_refused(value: str) -> None:
    with pytest.raises(UsageError, match="Invalid YAML"):
        parse_prompt(f"messages:\n- role: system\n  content: {value}\n")


def test_error_about_a_very_long_role_stays_short() -> None:
    with pytest.raises(UsageError) as caught:
        parse_prompt(chat(("x" * 100_000, "a")))
    assert len(caught.value.message) < 200


@pytest.mark.parametrize(
    "text",
    [
        '[{"role": "system", "content": "Be brief.", "content": "Be long."}]',
        '{"messages": [{"role": "system", "content": "a"}], "messages": [{"role": "system", "content": "b"}]}',
    ],
)
def test_json_with_a_repeated_key_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="appears twice"):
        parse_prompt(text)


def test_diff_shows_a_changed_line_separator() -> None:
    before, after = Prompt((Message("system", "a\nb"),)), Prompt((Message("system", "a\u2028b"),))
    assert "+a\u2028b" in diff_prompts(before, after)


def test_byte_order_mark_inside_a_prompt_survives_the_round_trip() -> None:
    prompt = Prompt((Message("system", "\ufeffBe brief."),))
    assert parse_prompt(prompt_to_markdown(prompt)) == prompt
