"""Comparing two texts: every line is shown and only what changed is marked."""

import time

from hypothesis import given
from hypothesis import strategies as st

from engine.prompts.compare import compare_texts

lines = st.lists(st.text(st.sampled_from("ab .é\t"), max_size=8), max_size=8).map("\n".join)


@given(lines, lines)
def test_comparison_contains_both_texts_whole(before: str, after: str) -> None:
    compared = compare_texts(before, after)
    if before == after:
        assert compared == ()
        return
    assert "\n".join(line.text for line in compared if line.kind != "added") == before
    assert "\n".join(line.text for line in compared if line.kind != "removed") == after


@given(lines, lines, st.integers(0, 3))
def test_folding_omits_only_unchanged_lines_and_counts_them(before: str, after: str, context: int) -> None:
    whole, folded = compare_texts(before, after), compare_texts(before, after, context)
    assert [line for line in folded if line.kind in ("removed", "added")] == [
        line for line in whole if line.kind in ("removed", "added")
    ]
    same = sum(line.kind == "same" for line in folded) + sum(line.left_out for line in folded)
    assert same == sum(line.kind == "same" for line in whole)


def test_only_the_changed_words_are_marked() -> None:
    removed, added = compare_texts("Begin with a risk score, then stop.", "Begin with a clear score, then stop.")
    assert (removed.kind, added.kind) == ("removed", "added")
    assert [piece.text for piece in removed.pieces if piece.changed] == ["risk"]
    assert [piece.text for piece in added.pieces if piece.changed] == ["clear"]


def test_lines_with_little_in_common_are_marked_whole() -> None:
    removed, added = compare_texts("Never promise a date.", "Sign with the name of the desk")
    assert [piece.changed for piece in (*removed.pieces, *added.pieces)] == [True, True]


def test_lines_beyond_the_context_are_folded_into_a_gap() -> None:
    before = "\n".join(f"line {number}" for number in range(20))
    compared = compare_texts(before, before.replace("line 10", "line ten"), 2)
    assert [line.kind for line in compared] == [
        "gap", "same", "same", "removed", "added", "same", "same", "gap",
    ]  # fmt: skip
    assert [line.left_out for line in compared if line.kind == "gap"] == [8, 7]


def test_prompts_with_many_empty_lines_are_compared_within_seconds() -> None:
    before, after = ("\n\n".join(f"{name} {number}" for number in range(1_000)) for name in ("rule", "demand"))
    started_at = time.process_time()
    lines = compare_texts(before, after)
    assert time.process_time() - started_at < 3.0
    assert "\n".join(line.text for line in lines if line.kind in ("same", "removed")) == before
