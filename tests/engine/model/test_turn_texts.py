"""The texts around turns: for every family, they render conversations exactly as its template does."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.model.chat_format import ChatFormat
from engine.model.chat_template import ChatTemplate
from engine.model.turn_texts import TurnTexts
from engine.records.prompt import Message
from tests.families import FAMILIES
from tests.tiny import make_tiny_family

TEXTS = st.text(min_size=1, max_size=20).map(str.strip).filter(lambda text: text and "\r" not in text)
TURNS = "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}{% if add_generation_prompt %}[=]{% endif %}"


@pytest.fixture(scope="module", params=FAMILIES)
def chat(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ChatFormat:
    return ChatFormat.load(make_tiny_family(tmp_path_factory.mktemp("family") / request.param, FAMILIES[request.param]))


def conversation(texts: list[str]) -> list[Message]:
    """User and assistant messages alternating, with the user first and last."""
    odd = texts if len(texts) % 2 else texts[:-1]
    return [Message("assistant" if index % 2 else "user", text) for index, text in enumerate(odd)]


@settings(max_examples=40, deadline=None)
@given(texts=st.lists(TEXTS, min_size=1, max_size=7))
def test_turn_texts_render_conversations_like_the_familys_template(chat: ChatFormat, texts: list[str]) -> None:
    messages = conversation(texts)
    found = chat.turn_texts
    assert found is not None
    assert found.render(messages) == chat.question_text(messages)


@pytest.mark.parametrize(
    "source",
    [
        TURNS.replace("[=]", "[{{ messages | length }}]"),
        TURNS.replace("{{ m.content }}", "{{ m.content | replace('.', '!') }}"),
    ],
    ids=["counts", "changes answers"],
)
def test_template_that_does_more_has_no_turn_texts(source: str) -> None:
    assert TurnTexts.of(ChatTemplate.detect(source, {})) is None


def test_text_around_a_system_message_is_none_if_it_is_refused(tmp_path: Path) -> None:
    found = TurnTexts.of(ChatTemplate.detect(TURNS, {}))
    assert found == TurnTexts("[user]", "[assistant]", "[user]", "[=]", ("[system]", "[user]"))
    gemma = ChatFormat.load(make_tiny_family(tmp_path / "gemma2", FAMILIES["gemma2"])).turn_texts
    assert gemma is not None
    assert gemma.around_system is None
