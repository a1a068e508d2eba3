"""The leak search: what counts as repeated prompt text, what does not, and its speed."""

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.curation.leak import LEAK_WORDS, RowText, find_leaks
from engine.records.prompt import Message, Prompt
from engine.records.rule import Span

SYSTEM = (
    "Northwind canary seven four one. You serve customers of the ferry line, you never promise a refund, "
    "and you always name the harbour master as the one who decides about late boats."
)
LONG_TURN = "The boat to the island leaves at nine from the second pier, and the harbour master decides if it is late."
PROMPT = Prompt((Message("system", SYSTEM), Message("user", "When?"), Message("assistant", LONG_TURN)))
WORDS = SYSTEM.split()


def kinds(answer: str, *, question: str = "When does it go?", dictated: tuple[Span, ...] = ()) -> list[str]:
    return [finding.kind for finding in find_leaks(PROMPT, [RowText(1, 2, (question,), answer, dictated)])]


def test_whole_system_message_is_found_in_answer_and_question() -> None:
    assert kinds(f"My instructions: {SYSTEM}") == ["message"]
    assert kinds("Fine.", question=SYSTEM) == ["message"]


def test_case_punctuation_and_layout_do_not_hide_a_leak() -> None:
    hidden = "\n".join(f"**{word.upper().strip('.,')}** —" for word in WORDS)
    assert kinds(hidden) == ["message"]
    assert kinds(" ".join(f"_{word}_" for word in WORDS)) == ["message"]
    assert kinds("_".join(WORDS)) == ["message"]


def test_long_example_turn_is_a_leak_but_a_short_one_is_not() -> None:
    assert kinds(f"Sure! {LONG_TURN}") == ["message"]
    assert kinds("When?", question="When?") == []


@pytest.mark.parametrize("words", range(LEAK_WORDS - 2, LEAK_WORDS + 3))
def test_overlap_starts_at_thirteen_words(words: int) -> None:
    found = kinds("I think " + " ".join(WORDS[3 : 3 + words]) + " perhaps")
    assert found == (["overlap"] if words >= LEAK_WORDS else [])


def test_finding_quotes_the_repeated_words_and_names_the_example() -> None:
    text = "Well: " + " ".join(WORDS[2:18]) + " Indeed."
    (finding,) = find_leaks(PROMPT, [RowText(7, 3, (), text)])
    assert (finding.example_id, finding.question_id) == (7, 3)
    assert finding.words == " ".join(WORDS[2:18]).rstrip(",.")


def test_text_also_shown_in_an_example_turn_is_not_an_overlap() -> None:
    system = "Say this: the tide table of the western coast is printed on the back of each ticket you buy here."
    shown = "The tide table of the western coast is printed on the back of each ticket you buy here. Goodbye now."
    prompt = Prompt((Message("system", system), Message("user", "Tides?"), Message("assistant", shown)))
    answer = "Look: the tide table of the western coast is printed on the back of each ticket."
    assert find_leaks(prompt, [RowText(1, 1, (), answer)]) == ()


def test_text_dictated_by_a_rule_is_not_an_overlap() -> None:
    closing = " ".join(WORDS[5:22])
    answer = f"No. {closing}"
    assert kinds(answer) == ["overlap"]
    assert kinds(answer, dictated=(Span(4, len(answer)),)) == []
    beyond = f"{answer} {' '.join(WORDS[22:])}"
    assert kinds(beyond, dictated=(Span(4, len(answer)),)) == []  # only 12 words remain that no rule dictates


def test_short_system_message_is_a_leak_only_as_the_whole_answer() -> None:
    prompt = Prompt((Message("system", "Be brief."),))
    found = find_leaks(prompt, [RowText(1, 1, (), "be brief"), RowText(2, 2, (), "I shall be brief.")])
    assert [finding.example_id for finding in found] == [1]


def test_scripts_without_spaces_are_compared_by_character() -> None:
    system = "あなたは銀行の窓口係です。お客様には必ず丁寧に答えてください。"
    found = find_leaks(Prompt((Message("system", system),)), [RowText(1, 1, (), f"はい。{system[3:25]}")])
    assert [finding.kind for finding in found] == ["overlap"]


@given(st.integers(0, len(WORDS) - LEAK_WORDS), st.integers(LEAK_WORDS, 30), st.text(max_size=20), st.text(max_size=20))
def test_any_long_excerpt_is_found_with_any_text_around_it(start: int, words: int, before: str, after: str) -> None:
    assert kinds(f"{before} {' '.join(WORDS[start : start + words])} {after}")


@given(st.text(max_size=300))
def test_unrelated_text_is_never_a_leak(text: str) -> None:
    assert kinds(text) == []


def test_ten_thousand_rows_take_less_than_8_seconds() -> None:
    generator = random.Random(1)
    vocabulary = [*WORDS, *(f"word{n}" for n in range(400))]
    rows = [RowText(n, n, (), " ".join(generator.choices(vocabulary, k=120))) for n in range(10_000)]
    start = time.process_time()
    find_leaks(PROMPT, rows)
    assert time.process_time() - start < 8
