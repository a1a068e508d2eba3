"""What counts as a word, a sentence or a line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.records.rule import LengthUnit
from engine.rules.units import unit_spans


def sentences(text: str) -> list[str]:
    return [text[span.start : span.end] for span in unit_spans(text, "sentences")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two.", ["One.", "Two."]),
        ("RISK SCORE: 3. Keep your PIN safe. Bye!", ["RISK SCORE: 3.", "Keep your PIN safe.", "Bye!"]),
        ("It costs 3.50 EUR. Fine.", ["It costs 3.50 EUR.", "Fine."]),
        ("Ask Dr. Smith, e.g. today.", ["Ask Dr. Smith, e.g. today."]),
        ("We open at 9 a.m. Come by.", ["We open at 9 a.m.", "Come by."]),
        ("Wait ... what? Well… Then go.", ["Wait ... what?", "Well…", "Then go."]),
        ("Really?! Yes.", ["Really?!", "Yes."]),
        ('He said "Stop." Then left.', ['He said "Stop."', "Then left."]),
        ("**Note.** Read it.", ["**Note.**", "Read it."]),
        ("Signed J. Smith today.", ["Signed J. Smith today."]),
        ("1. Open the app.\n2. Tap Cards.", ["1. Open the app.", "2. Tap Cards."]),
        ("Steps:\n- open it\n- tap it\n\n---\n", ["Steps:", "- open it", "- tap it"]),
        ("See example.com for more", ["See example.com for more"]),
        ("カードは届きます。ご安心ください。", ["カードは届きます。", "ご安心ください。"]),
        ("No end", ["No end"]),
        ("... \n !", []),
        ("", []),
    ],
)
def test_sentences_are_split(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


def test_words_contain_a_letter_or_a_digit() -> None:
    text = "- Don't pay 3.50 — twice • (ok)"
    words = [text[span.start : span.end] for span in unit_spans(text, "words")]
    assert words == ["Don't", "pay", "3.50", "twice", "(ok)"]


def test_blank_lines_are_not_counted() -> None:
    text = " a \r\n\n\tb\n"
    assert [text[span.start : span.end] for span in unit_spans(text, "lines")] == ["a", "b"]


@given(
    st.text(alphabet=st.sampled_from("aB1 .!?…\n\"'*-。)"), max_size=80),
    st.sampled_from(["words", "sentences", "lines"]),
)
def test_spans_are_ordered_and_trimmed_and_cover_all_content(text: str, unit: LengthUnit) -> None:
    spans = unit_spans(text, unit)
    ends = [0, *(span.end for span in spans)]
    for span, earlier in zip(spans, ends, strict=False):
        assert earlier <= span.start < span.end
        assert text[span.start : span.end].strip() == text[span.start : span.end]
    covered = {position for span in spans for position in range(span.start, span.end)}
    assert all(position in covered for position, character in enumerate(text) if character.isalnum())
