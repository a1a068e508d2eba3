"""Locating a rule in a prompt: in the sentence that states it, in the example turns that show it, or nowhere."""

from hypothesis import given
from hypothesis import strategies as st

from engine.records.prompt import Message
from engine.records.rule import Check, Rule
from engine.rules.locate import locate_rule

SYSTEM = (
    "You are the desk of Meridian, a small bank. Begin every answer with RISK SCORE: and a digit.\n"
    "- Write two short sentences after it.\n"
    "- Stay under 40 words in all.\n"
    "- Never apologise, and never promise a date.\n"
    "Answer in JSON. Close with «— Meridian»."
)
TURNS = (Message("user", "Is it open?"), Message("assistant", "Regarding your card: it is open. — M"))


def found(rule: Rule, *messages: Message) -> list[str]:
    return [messages[place.message].content[place.span.start : place.span.end] for place in locate_rule(rule, messages)]


def in_system(text: str, check: Check) -> list[str]:
    return found(Rule(1, text, check), Message("system", SYSTEM), *TURNS)


def test_sentence_that_asks_for_the_rule_is_found() -> None:
    begin = "Begin every answer with RISK SCORE: and a digit."
    assert in_system("Starts with the score", Check("pattern", pattern=r"^RISK SCORE: [1-9]")) == [begin]
    assert in_system("Starts right", Check("starts_with", text="RISK SCORE:")) == [begin]
    assert in_system("At most 40 words", Check("length", unit="words", max=40)) == ["- Stay under 40 words in all."]
    assert in_system("At most 2 sentences", Check("length", unit="sentences", max=2)) == [
        "- Write two short sentences after it."
    ]
    assert in_system("Valid", Check("json")) == ["Answer in JSON."]
    assert in_system("Promises nothing, apologises for nothing", Check("forbidden", texts=("sorry",))) == [
        "- Never apologise, and never promise a date."
    ]


def test_one_word_in_common_is_not_enough_but_literal_text_is() -> None:
    assert in_system("Sign as Meridian", Check("ends_with", text="yours")) == []
    assert in_system("Sign", Check("ends_with", text="— Meridian")) == ["Close with «— Meridian»."]


def test_rule_without_a_sentence_is_found_in_the_example_turns() -> None:
    rule = Rule(1, "Opens politely", Check("starts_with", text="Regarding your "))
    assert found(rule, Message("system", "Be kind."), *TURNS) == ["Regarding your "]
    assert found(rule, *TURNS) == ["Regarding your "]


def test_unrelated_or_invalid_rule_has_no_place() -> None:
    assert in_system("Names the weather", Check("contains", text="rain")) == []
    assert found(Rule(1, "Broken", Check("pattern", pattern="(")), *TURNS) == []
    assert locate_rule(Rule(1, "Anything", Check("json")), ()) == ()


@given(st.text(), st.text(), st.text(min_size=1))
def test_place_is_inside_its_message(text: str, system: str, required: str) -> None:
    messages = (Message("system", system), Message("user", "q"), Message("assistant", text))
    for place in locate_rule(Rule(1, text, Check("contains", text=required)), messages):
        assert 0 <= place.span.start < place.span.end <= len(messages[place.message].content)
