"""Properties of any split: whole topics, no near-duplicates across, sizes near the fractions, labels everywhere."""

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import UsageError
from engine.questions.duplicates import twins_of
from engine.questions.split import split_by_topic, split_notes
from engine.records.prompt import Message
from engine.records.question import SPLITS, Question, Split

FRACTIONS = (0.8, 0.1, 0.1)
TEXT = "please tell me where my new debit card is right now"


def question(
    number: int, topic: str = "", label: str | None = None, text: str = "", split: Split | None = None
) -> Question:
    text = text or f"w{number} x{number} y{number} z{number}"
    return Question((Message("user", text),), topic=topic, label=label, split=split, id=number)


def numbered(topics: Sequence[tuple[str, str | None]]) -> list[Question]:
    return [question(number, topic, label) for number, (topic, label) in enumerate(topics, 1)]


def sizes(splits: Mapping[int, Split]) -> dict[Split, int]:
    counts = Counter(splits.values())
    return {split: counts[split] for split in SPLITS}


def test_topics_of_equal_size_meet_the_fractions_exactly() -> None:
    questions = numbered([(f"t{n % 40}", None) for n in range(480)])
    splits = split_by_topic(questions, seed=0)
    assert sizes(splits) == {"train": 384, "validation": 48, "test": 48}
    assert sizes(split_by_topic(questions, 0, (0.65, 0.1, 0.25))) == {"train": 312, "validation": 48, "test": 120}


def test_seed_decides_which_topics_go_where() -> None:
    questions = numbered([(f"t{n % 40}", None) for n in range(120)])
    assert split_by_topic(questions, 1) == split_by_topic(questions, 1)
    assert split_by_topic(questions, 1) != split_by_topic(questions, 2)


topics = st.lists(
    st.tuples(st.sampled_from([f"t{n}" for n in range(12)] + [""]), st.sampled_from([None, "a", "b"])), max_size=60
)


def test_near_duplicates_share_a_split_in_scripts_without_spaces() -> None:
    subjects = [
        f"{what}{of}"
        for what in ("信用卡", "储蓄卡", "房贷", "基金", "保险", "外汇")
        for of in ("密码", "额度", "利率", "账单")
    ]
    texts = [
        f"请问我的{subject}应该怎么在手机银行里查询和修改{end}？" for subject in subjects for end in ("", "呢", "啊")
    ]
    splits = split_by_topic([question(number, text=text) for number, text in enumerate(texts, 1)], 0)
    assert all(len({splits[first + place] for place in range(3)}) == 1 for first in range(1, len(texts), 3))


@settings(max_examples=40)
@given(topics, st.integers(0, 5))
def test_topics_stay_whole_and_fill_as_many_splits_as_possible(topics: list[tuple[str, str | None]], seed: int) -> None:
    questions = numbered(topics)
    splits = split_by_topic(questions, seed)
    assert set(splits) == {q.id for q in questions}
    units = {q.topic or str(q.id) for q in questions}
    for unit in units:
        assert len({splits[q.id] for q in questions if (q.topic or str(q.id)) == unit}) == 1
    filled = sum(count > 0 for count in sizes(splits).values())
    assert filled == min(3, len(units))
    if len(units) == 2:
        assert sizes(splits)["validation"] == 0


@settings(max_examples=20)
@given(st.lists(st.integers(1, 9), min_size=30, max_size=60), st.integers(0, 5))
def test_sizes_are_within_the_largest_topic_of_the_fractions(topic_sizes: list[int], seed: int) -> None:
    questions = numbered([(f"t{n}", None) for n, size in enumerate(topic_sizes) for _ in range(size)])
    splits = split_by_topic(questions, seed)
    for split, fraction in zip(SPLITS, FRACTIONS, strict=True):
        assert abs(sizes(splits)[split] - fraction * len(questions)) <= max(topic_sizes)


@settings(max_examples=15)
@given(st.integers(0, 20))
def test_every_label_is_in_every_split(seed: int) -> None:
    # 5 labels with 6 topics of unequal sizes each: enough topics for every label to be in every split.
    questions = numbered([(f"{label}{n}", label) for label in "abcde" for n in range(6) for _ in range(2 + n)])
    splits = split_by_topic(questions, seed)
    labels = {split: {q.label for q in questions if splits[q.id] == split} for split in SPLITS}
    assert labels == {split: set("abcde") for split in SPLITS}


def test_topics_with_near_duplicates_of_each_other_share_a_split() -> None:
    questions = [question(n, f"t{n % 30}") for n in range(1, 91)]
    questions += [
        question(100, "t1", text=TEXT),
        question(101, "t2", text=TEXT + "!"),
        question(102, text=TEXT + " ok"),
    ]
    for seed in range(5):
        splits = split_by_topic(questions, seed)
        assert len({splits[q.id] for q in questions if q.topic in ("t1", "t2")} | {splits[102]}) == 1


@settings(max_examples=40)
@given(st.lists(st.lists(st.sampled_from(["card", "lost", "where", "new", "my"]), min_size=1, max_size=6), max_size=30))
def test_near_duplicates_share_a_split_for_any_texts(texts: list[list[str]]) -> None:
    questions = [question(n, text=" ".join(words)) for n, words in enumerate(texts, 1)]
    splits = split_by_topic(questions, 0)
    for position, one in enumerate(questions):
        for twin in twins_of(one, questions[:position]):
            assert splits[one.id] == splits[questions[twin.position].id]


def test_existing_splits_are_kept_and_new_questions_follow_their_topic() -> None:
    old = [question(1, "a", split="test"), question(2, "b", split="train"), question(3, "b", split="test")]
    old += [question(4, "b", split="test")]
    new = [question(5, "a"), question(6, "b")] + [question(n, f"c{n}") for n in range(7, 30)]
    splits = split_by_topic([*old, *new], 0)
    assert {n: splits[n] for n in range(1, 5)} == {1: "test", 2: "train", 3: "test", 4: "test"}
    assert splits[5] == splits[6] == "test"
    # A tenth of the 29 questions is in test already, so no other topic goes there.
    assert all(splits[n] != "test" for n in range(7, 30))


@pytest.mark.parametrize("held_out", ["test", "validation"])
def test_new_near_duplicate_of_a_held_out_question_joins_its_split(held_out: Split) -> None:
    old = [question(n, "a", split="train") for n in range(1, 9)] + [question(9, "a", text=TEXT, split=held_out)]
    new = [question(10, "a", text=TEXT + "!"), question(11, "b", text=TEXT + " ok"), question(12, "a")]
    splits = split_by_topic([*old, *new, *(question(n, f"c{n}") for n in range(13, 40))], 0)
    assert splits[10] == splits[11] == held_out
    assert splits[12] == "train"
    assert [splits[n] for n in range(1, 9)] == ["train"] * 8


def test_new_near_duplicate_of_a_training_question_is_trained_on() -> None:
    old = [question(n, "a", split="test") for n in range(1, 21)] + [question(21, "b", text=TEXT, split="train")]
    splits = split_by_topic([*old, question(22, "a", text=TEXT + "!"), question(23, "a")], 0)
    assert (splits[22], splits[23]) == ("train", "test")


def test_near_duplicate_in_another_split_does_not_move_its_topic() -> None:
    old = [question(n, "a", split="test") for n in range(1, 3)] + [
        question(n, "b", split="train") for n in range(3, 30)
    ]
    old += [question(30, "b", text=TEXT, split="train")]
    splits = split_by_topic([*old, question(31, "a", text=TEXT + "!"), question(32, "a"), question(33, "b")], 0)
    assert (splits[31], splits[32], splits[33]) == ("train", "test", "train")


def test_splitting_again_changes_nothing() -> None:
    questions = numbered([(f"t{n % 9}", None) for n in range(50)])
    splits = split_by_topic(questions, 3)
    again = [dataclasses.replace(q, split=splits[q.id]) for q in questions]
    assert split_by_topic(again, 4) == splits


def test_split_with_a_fraction_of_zero_stays_empty() -> None:
    splits = split_by_topic(numbered([(f"t{n}", None) for n in range(20)]), 0, (0.9, 0.0, 0.1))
    assert sizes(splits) == {"train": 18, "validation": 0, "test": 2}


@pytest.mark.parametrize("fractions", [(0.8, 0.1, 0.2), (1.2, -0.1, -0.1)])
def test_negative_fractions_or_a_sum_above_one_are_refused(fractions: tuple[float, float, float]) -> None:
    with pytest.raises(UsageError):
        split_by_topic([], 0, fractions)


def test_large_topic_that_is_held_out_is_reported() -> None:
    old = [question(number, f"t{number % 7}", split="train") for number in range(1, 20)]
    old += [question(number, "opening", split="validation") for number in range(20, 23)]
    both = [*old, *(question(number, "cards") for number in range(23, 33))]
    drawn = split_by_topic(both, 0)
    assert sizes(drawn) == {"train": 19, "validation": 3, "test": 10}
    shares, topic = split_notes(both, drawn, FRACTIONS)
    assert "train 59\u00a0%, validation 9\u00a0%, test 31\u00a0% instead of 80\u00a0%, 10\u00a0%, 10\u00a0%" in shares
    assert topic == "No question on “cards” is trained: all 10 are in test."


def test_small_or_even_splits_are_not_reported() -> None:
    for questions in ([], numbered([("", None)] * 3), numbered([(f"t{n % 40}", None) for n in range(480)])):
        assert split_notes(questions, split_by_topic(questions, 0), FRACTIONS) == ()
    one_topic = numbered([("cards", None)] * 4)
    assert split_notes(one_topic, split_by_topic(one_topic, 0), FRACTIONS) == (
        "No questions in validation and test: too few topics.",
    )


def test_near_duplicates_that_tie_all_topics_are_named_as_the_reason() -> None:
    alike = [question(number, f"t{number % 8}", text=f"{TEXT} {number}") for number in range(40)]
    drawn = split_by_topic(alike, 0)
    assert sizes(drawn) == {"train": 40, "validation": 0, "test": 0}
    empty, shares = split_notes(alike, drawn, FRACTIONS)
    assert empty == "No questions in validation and test: near-duplicates tie the topics together."
    assert shares.startswith("Near-duplicates are never divided")
    assert shares.endswith("Remove them first.")


def test_held_out_twins_of_training_questions_are_reported_if_the_user_brought_the_splits() -> None:
    brought = [
        question(1, text=TEXT, split="train"),
        question(2, split="train"),
        question(3, text=f"{TEXT}?", split="test"),
    ]
    drawn = split_by_topic(brought, seed=0)
    assert [drawn[each.id] for each in brought] == ["train", "train", "test"]
    note = "1 held-out question nearly repeats training questions: remove near-duplicates."
    assert note in split_notes(brought, drawn, FRACTIONS)
    assert note not in split_notes([*brought[:2], question(3, split="test")], drawn, FRACTIONS)
