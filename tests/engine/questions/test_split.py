"""What must hold of any split: whole topics, no twin across, sizes near the fractions, labels everywhere."""

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import UsageError
from engine.questions.duplicates import twins_of
from engine.questions.split import split_by_topic
from engine.records.prompt import Message
from engine.records.question import SPLITS, Question, Split

FRACTIONS = (0.8, 0.1, 0.1)


def question(
    number: int, topic: str = "", label: str | None = None, text: str = "", split: Split | None = None
) -> Question:
    words = text or f"w{number} x{number} y{number} z{number}"
    return Question((Message("user", words),), topic=topic, label=label, split=split, id=number)


def numbered(topics: Sequence[tuple[str, str | None]]) -> list[Question]:
    return [question(number, topic, label) for number, (topic, label) in enumerate(topics, 1)]


def sizes(drawn: Mapping[int, Split]) -> dict[Split, int]:
    counts = Counter(drawn.values())
    return {split: counts[split] for split in SPLITS}


def test_equal_topics_meet_the_fractions_exactly() -> None:
    questions = numbered([(f"t{n % 40}", None) for n in range(480)])
    drawn = split_by_topic(questions, seed=0)
    assert sizes(drawn) == {"train": 384, "validation": 48, "test": 48}
    assert sizes(split_by_topic(questions, 0, (0.65, 0.1, 0.25))) == {"train": 312, "validation": 48, "test": 120}


def test_the_seed_decides_which_topics() -> None:
    questions = numbered([(f"t{n % 40}", None) for n in range(120)])
    assert split_by_topic(questions, 1) == split_by_topic(questions, 1)
    assert split_by_topic(questions, 1) != split_by_topic(questions, 2)


topics = st.lists(
    st.tuples(st.sampled_from([f"t{n}" for n in range(12)] + [""]), st.sampled_from([None, "a", "b"])), max_size=60
)


def test_no_near_twin_crosses_in_a_script_without_spaces() -> None:
    subjects = [
        f"{what}{of}"
        for what in ("信用卡", "储蓄卡", "房贷", "基金", "保险", "外汇")
        for of in ("密码", "额度", "利率", "账单")
    ]
    texts = [
        f"请问我的{subject}应该怎么在手机银行里查询和修改{end}？" for subject in subjects for end in ("", "呢", "啊")
    ]
    drawn = split_by_topic([question(number, text=text) for number, text in enumerate(texts, 1)], 0)
    assert all(len({drawn[first + place] for place in range(3)}) == 1 for first in range(1, len(texts), 3))


@settings(max_examples=40)
@given(topics, st.integers(0, 5))
def test_topics_stay_whole_and_splits_are_filled(topics: list[tuple[str, str | None]], seed: int) -> None:
    questions = numbered(topics)
    drawn = split_by_topic(questions, seed)
    assert set(drawn) == {q.id for q in questions}
    units = {q.topic or str(q.id) for q in questions}
    for unit in units:
        assert len({drawn[q.id] for q in questions if (q.topic or str(q.id)) == unit}) == 1
    filled = sum(count > 0 for count in sizes(drawn).values())
    assert filled == min(3, len(units))
    if len(units) == 2:
        assert sizes(drawn)["validation"] == 0


@settings(max_examples=20)
@given(st.lists(st.integers(1, 9), min_size=30, max_size=60), st.integers(0, 5))
def test_sizes_are_within_the_largest_topic_of_the_fractions(topic_sizes: list[int], seed: int) -> None:
    questions = numbered([(f"t{n}", None) for n, size in enumerate(topic_sizes) for _ in range(size)])
    drawn = split_by_topic(questions, seed)
    for split, fraction in zip(SPLITS, FRACTIONS, strict=True):
        assert abs(sizes(drawn)[split] - fraction * len(questions)) <= max(topic_sizes)


@settings(max_examples=15)
@given(st.integers(0, 20))
def test_every_label_in_every_split(seed: int) -> None:
    # 5 labels of 6 topics each, of unequal sizes: there are enough topics for each label to be everywhere.
    questions = numbered([(f"{label}{n}", label) for label in "abcde" for n in range(6) for _ in range(2 + n)])
    drawn = split_by_topic(questions, seed)
    labels = {split: {q.label for q in questions if drawn[q.id] == split} for split in SPLITS}
    assert labels == {split: set("abcde") for split in SPLITS}


def test_no_near_twin_crosses_even_between_topics() -> None:
    twin = "please tell me where my new debit card is right now"
    questions = [question(n, f"t{n % 30}") for n in range(1, 91)]
    questions += [
        question(100, "t1", text=twin),
        question(101, "t2", text=twin + "!"),
        question(102, text=twin + " ok"),
    ]
    for seed in range(5):
        drawn = split_by_topic(questions, seed)
        assert len({drawn[q.id] for q in questions if q.topic in ("t1", "t2")} | {drawn[102]}) == 1


@settings(max_examples=40)
@given(st.lists(st.lists(st.sampled_from(["card", "lost", "where", "new", "my"]), min_size=1, max_size=6), max_size=30))
def test_twins_share_a_split_whatever_the_texts(texts: list[list[str]]) -> None:
    questions = [question(n, text=" ".join(words)) for n, words in enumerate(texts, 1)]
    drawn = split_by_topic(questions, 0)
    for position, one in enumerate(questions):
        for twin in twins_of(one, questions[:position]):
            assert drawn[one.id] == drawn[questions[twin.position].id]


def test_a_split_is_kept_and_new_questions_follow_their_topic() -> None:
    old = [question(1, "a", split="test"), question(2, "b", split="train"), question(3, "b", split="test")]
    old += [question(4, "b", split="test")]
    new = [question(5, "a"), question(6, "b")] + [question(n, f"c{n}") for n in range(7, 30)]
    drawn = split_by_topic([*old, *new], 0)
    assert {n: drawn[n] for n in range(1, 5)} == {1: "test", 2: "train", 3: "test", 4: "test"}
    assert drawn[5] == drawn[6] == "test"
    # 29 questions: a tenth is in test already, so no further topic goes there.
    assert all(drawn[n] != "test" for n in range(7, 30))


@pytest.mark.parametrize("held", ["test", "validation"])
def test_a_new_near_twin_of_a_held_out_question_is_held_out_with_it_wherever_its_topic_lies(held: Split) -> None:
    twin = "please tell me where my new debit card is right now"
    old = [question(n, "a", split="train") for n in range(1, 9)] + [question(9, "a", text=twin, split=held)]
    new = [question(10, "a", text=twin + "!"), question(11, "b", text=twin + " ok"), question(12, "a")]
    drawn = split_by_topic([*old, *new, *(question(n, f"c{n}") for n in range(13, 40))], 0)
    assert drawn[10] == drawn[11] == held
    assert drawn[12] == "train"
    assert [drawn[n] for n in range(1, 9)] == ["train"] * 8


def test_a_new_near_twin_of_a_training_question_is_trained_on_though_its_topic_is_held_out() -> None:
    twin = "please tell me where my new debit card is right now"
    old = [question(n, "a", split="test") for n in range(1, 21)] + [question(21, "b", text=twin, split="train")]
    drawn = split_by_topic([*old, question(22, "a", text=twin + "!"), question(23, "a")], 0)
    assert (drawn[22], drawn[23]) == ("train", "test")


def test_a_twin_elsewhere_draws_no_other_question_of_its_topic_along() -> None:
    twin = "please tell me where my new debit card is right now"
    old = [question(n, "a", split="test") for n in range(1, 3)] + [
        question(n, "b", split="train") for n in range(3, 30)
    ]
    old += [question(30, "b", text=twin, split="train")]
    drawn = split_by_topic([*old, question(31, "a", text=twin + "!"), question(32, "a"), question(33, "b")], 0)
    assert (drawn[31], drawn[32], drawn[33]) == ("train", "test", "train")


def test_drawn_again_nothing_changes() -> None:
    questions = numbered([(f"t{n % 9}", None) for n in range(50)])
    drawn = split_by_topic(questions, 3)
    settled = [dataclasses.replace(q, split=drawn[q.id]) for q in questions]
    assert split_by_topic(settled, 4) == drawn


def test_a_split_of_no_share_gets_nothing() -> None:
    drawn = split_by_topic(numbered([(f"t{n}", None) for n in range(20)]), 0, (0.9, 0.0, 0.1))
    assert sizes(drawn) == {"train": 18, "validation": 0, "test": 2}


@pytest.mark.parametrize("fractions", [(0.8, 0.1, 0.2), (1.2, -0.1, -0.1)])
def test_fractions_are_shares(fractions: tuple[float, float, float]) -> None:
    with pytest.raises(UsageError):
        split_by_topic([], 0, fractions)
