"""Near-duplicate questions: found by an approximate index, then compared exactly."""

import dataclasses
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.questions.duplicates import DuplicatePair, UnionFind, find_duplicates, ties_to_earlier, twins_of
from engine.questions.importers import import_questions
from engine.records.prompt import Message
from engine.records.question import Question

BANKING = Path(__file__).parents[4] / "shared" / "data" / "banking77" / "train.jsonl"


def numbered_questions(*texts: str) -> list[Question]:
    return [Question((Message("user", text),), id=number) for number, text in enumerate(texts, 1)]


def test_first_of_several_near_duplicates_is_kept() -> None:
    questions = numbered_questions(
        "Where is my new card, and when will it come?",
        "Something else altogether.",
        "where is my NEW card and when will it come",
        "Well, where is my new card, and when will it come?",
        "Ｗhere is my new card, and when will it come?",
    )
    # 8 shingles; with one more word in front 9, of which 8 are shared.
    assert find_duplicates(questions) == (
        DuplicatePair(1, 3, 1.0),
        DuplicatePair(1, 4, 8 / 9),
        DuplicatePair(1, 5, 1.0),
    )
    assert find_duplicates(questions, 0.9) == (DuplicatePair(1, 3, 1.0), DuplicatePair(1, 5, 1.0))


def test_short_or_wordless_questions_are_compared_as_a_whole() -> None:
    assert find_duplicates(numbered_questions("Hi", "hi!", "?", "!", "?", "Hi there")) == (
        DuplicatePair(1, 2, 1.0),
        DuplicatePair(3, 5, 1.0),
    )


@pytest.mark.parametrize(
    ("one", "twin", "other"),
    [
        ("请问我的信用卡密码应该怎么在手机银行里查询和修改？", "请问我的信用卡密码应该怎么在手机银行里查询和修改呢？",
         "请问房贷提前还款应该去哪里办理，需要带什么材料？"),
        ("クレジットカードの限度額を引き上げる方法を教えてください",
         "クレジットカードの限度額を引き上げる方法を教えて下さい",
         "クレジットカードを紛失したので利用を止めたいのですが"),
        ("ฉันจะเปลี่ยนรหัสผ่านบัตรเครดิตของฉันได้อย่างไร", "ฉันจะเปลี่ยนรหัสผ่านบัตรเครดิตของฉันได้อย่างไรคะ",
         "บัตรเครดิตของฉันหายควรทำอย่างไร"),
    ],
    ids=["Chinese", "Japanese", "Thai"],
)  # fmt: skip
def test_near_duplicates_are_found_in_scripts_without_spaces(one: str, twin: str, other: str) -> None:
    assert [(pair.kept, pair.dropped) for pair in find_duplicates(numbered_questions(one, twin, other))] == [(1, 2)]


def test_whole_conversations_are_compared() -> None:
    before = Message("assistant", "Do you mean the blue card or the gold card?")
    first = Question((Message("user", "Where is my card?"), before, Message("user", "Blue")), id=1)
    second = Question((Message("user", "How do I get a loan for a house?"), before, Message("user", "Blue")), id=2)
    assert find_duplicates([first, second]) == ()


def test_near_duplicate_of_a_dropped_question_is_kept() -> None:
    base = "a b c d e f g h i j k l m n o p q r s t"
    chain = numbered_questions(base, base.replace("a b", "x b"), base.replace("a b", "x b").replace("s t", "s y"))
    pairs = find_duplicates(chain, 0.85)
    assert [(pair.kept, pair.dropped) for pair in pairs] == [(1, 2)]
    assert ties_to_earlier(chain, 0.85) == [[], [0], [1]]


def test_exact_duplicate_of_a_dropped_question_is_dropped() -> None:
    twin = "Well, where is my new card, and when will it come?"
    questions = numbered_questions("Where is my new card, and when will it come?", twin, f"{twin}!")
    assert find_duplicates(questions) == (DuplicatePair(1, 2, 8 / 9), DuplicatePair(1, 3, 8 / 9))


def test_thousands_of_near_duplicates_have_one_tie_each() -> None:
    letter = "My order number {} has not arrived yet, can you check the status for me please and tell me when it comes"
    questions = numbered_questions(*(letter.format(number) for number in range(3_000)))
    assert [pair.kept for pair in find_duplicates(questions)] == [1] * 2_999
    assert [len(tied) for tied in ties_to_earlier(questions)] == [0] + [1] * 2_999


def shingles(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", text)
    return {tuple(words[n : n + 3]) for n in range(max(len(words) - 2, 1))}


sentences = st.lists(st.sampled_from(list("abcdefgh")), min_size=3, max_size=14).map(" ".join)


@settings(max_examples=40)
@given(st.lists(sentences, max_size=12), st.sampled_from([0.5, 0.7, 1.0]))
def test_duplicates_match_a_comparison_of_every_pair(texts: list[str], threshold: float) -> None:
    sets = [shingles(text) for text in texts]
    ties = ties_to_earlier(numbered_questions(*texts), threshold)
    for position, tied in enumerate(ties):
        for other in tied:
            assert other < position
            assert _similarity(sets[position], sets[other]) >= threshold
        if sets[position] in sets[:position]:
            assert tied
    pairs = find_duplicates(numbered_questions(*texts), threshold)
    dropped = {pair.dropped for pair in pairs}
    for pair in pairs:
        assert pair.kept not in dropped
        assert pair.similarity == pytest.approx(_similarity(sets[pair.kept - 1], sets[pair.dropped - 1]))
        assert pair.similarity >= threshold
    kept = [own for number, own in enumerate(sets, 1) if number not in dropped]
    assert all(own not in kept[:place] for place, own in enumerate(kept))


def _similarity(one: set[tuple[str, ...]], other: set[tuple[str, ...]]) -> float:
    return len(one & other) / len(one | other)


def _similar(one: set[tuple[str, ...]], other: set[tuple[str, ...]]) -> bool:
    return len(one & other) >= 0.7 * len(one | other)


def test_duplicates_among_banking77_questions_match_a_comparison_of_every_pair() -> None:
    if not BANKING.is_file():
        pytest.skip("the BANKING77 questions are not on this machine")
    questions = import_questions(str(BANKING)).questions[:2_000]
    questions = tuple(dataclasses.replace(q, id=number) for number, q in enumerate(questions, 1))
    pairs = find_duplicates(questions)
    assert pairs == find_duplicates(questions)
    texts = {q.id: q.text for q in questions}
    # Recall against every pair: questions similar enough are tied, directly or through others.
    sets = [shingles(q.text.casefold()) for q in questions[:600]]
    groups = UnionFind(len(sets))
    for position, tied in enumerate(ties_to_earlier(questions[:600])):
        for other in tied:
            groups.tie(position, other)
    for position, own in enumerate(sets):
        for other in range(position):
            assert groups.root(position) == groups.root(other) or not _similar(own, sets[other])
    dropped = {pair.dropped for pair in pairs}
    kept = [own for number, own in enumerate(sets, 1) if number not in dropped]
    assert not any(_similar(own, other) for place, own in enumerate(kept) for other in kept[:place])
    exact: dict[str, int] = {}
    for q in questions:
        first = exact.setdefault(" ".join(re.findall(r"\w+", q.text.casefold())), q.id)
        assert first == q.id or q.id in dropped
    assert pairs
    for pair in pairs:
        assert pair.kept not in dropped
        one, two = (shingles(texts[n].casefold()) for n in (pair.kept, pair.dropped))
        assert pair.similarity == pytest.approx(len(one & two) / len(one | two))


@given(st.lists(st.text("ab ", min_size=1, max_size=12), min_size=1, max_size=6))
def test_twins_of_one_question_include_those_found_by_the_index(texts: list[str]) -> None:
    *others, question = (Question((Message("user", text),)) for text in texts)
    tied = ties_to_earlier([*others, question])[-1]
    assert set(tied) <= {twin.position for twin in twins_of(question, others)}
