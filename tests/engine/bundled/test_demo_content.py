"""The demo's bundled content: enough questions and topics, clean splits, a usable prompt and rules."""

import re
from collections import defaultdict

import pytest

from engine.bundled import bundled_text
from engine.demo import demo_questions
from engine.model.starter import starter_weights
from engine.prompts.documents import parse_prompt
from engine.questions.duplicates import find_duplicates
from engine.records.question import Question
from engine.records.rule import passes_all
from engine.rules.checks import check_answer
from engine.rules.documents import parse_rules

QUESTIONS = tuple(demo_questions())
PROMPT = parse_prompt(bundled_text("demo/prompt.yaml"), "the bundled prompt")
RULES = parse_rules(bundled_text("demo/rules.yaml"), "the bundled rules")


def text_of(question: Question) -> str:
    return question.messages[-1].content


def word_grams(text: str, size: int) -> frozenset[tuple[str, ...]]:
    words = re.findall(r"\w+", text.lower())
    return frozenset(tuple(words[start : start + size]) for start in range(len(words) - size + 1))


def topics_by_split() -> dict[str, set[str]]:
    topics: dict[str, set[str]] = defaultdict(set)
    for question in QUESTIONS:
        topics[question.split or ""].add(question.topic)
    return topics


def test_questions_are_numerous_and_cover_many_topics() -> None:
    assert len(QUESTIONS) >= 520
    assert len({question.topic for question in QUESTIONS}) >= 44
    assert sum(question.split == "test" for question in QUESTIONS) >= 120
    assert len({text_of(question) for question in QUESTIONS}) == len(QUESTIONS)


def test_questions_have_a_natural_length() -> None:
    assert [text for text in map(text_of, QUESTIONS) if not 5 <= len(text.split()) <= 18] == []


def test_every_topic_is_in_one_split() -> None:
    topics = topics_by_split()
    assert set(topics) == {"train", "validation", "test"}
    assert len(topics["test"]) >= 10
    assert not topics["test"] & (topics["train"] | topics["validation"])
    assert not topics["train"] & topics["validation"]


def test_every_label_is_in_every_split_and_every_topic_has_one() -> None:
    (label_rule,) = [rule for rule in RULES if rule.check.kind == "label"]
    labels_of_split: dict[str, set[str]] = defaultdict(set)
    labels_of_topic: dict[str, set[str]] = defaultdict(set)
    for question in QUESTIONS:
        labels_of_split[question.split or ""].add(question.label or "")
        labels_of_topic[question.topic].add(question.label or "")
    for split in ("train", "validation", "test"):
        assert labels_of_split[split] == set(label_rule.check.labels)
    assert {topic: labels for topic, labels in labels_of_topic.items() if len(labels) != 1} == {}


def test_label_is_clear_from_the_question_alone() -> None:
    labels = sorted({question.label or "" for question in QUESTIONS})
    named = {text_of(q): [label for label in labels if label in text_of(q).lower()] for q in QUESTIONS}
    assert {text_of(q): named[text_of(q)] for q in QUESTIONS if named[text_of(q)] != [q.label]} == {}


def test_no_test_question_resembles_another_question() -> None:
    others = {text_of(q): word_grams(text_of(q), 5) for q in QUESTIONS if q.split != "test"}
    worst = 0.0
    for question in QUESTIONS:
        grams = word_grams(text_of(question), 5)
        if question.split == "test" and grams:
            worst = max(worst, *(len(grams & other) / len(grams | other) for other in others.values()))
    assert worst < 0.5


def test_there_are_no_near_duplicates() -> None:
    assert find_duplicates(QUESTIONS, threshold=0.7) == ()


def test_questions_do_not_include_the_example_turns() -> None:
    example_questions = {message.content.lower() for message in PROMPT.messages if message.role == "user"}
    assert example_questions.isdisjoint(text_of(question).lower() for question in QUESTIONS)


def test_rules_are_numerous_and_one_needs_the_gold_label() -> None:
    assert len(RULES) >= 5
    assert [rule.check.kind for rule in RULES if rule.check.gold] == ["label"]


def test_example_turns_pass_every_rule_and_name_the_right_desk() -> None:
    question_text = ""
    examples = 0
    for message in PROMPT.messages:
        if message.role == "user":
            question_text = message.content
        elif message.role == "assistant":
            (label,) = [name for name in _labels() if name in question_text.lower()]
            question = Question(messages=(message,), label=label)
            assert passes_all(check_answer(RULES, message.content, question)), message.content
            examples += 1
    assert examples >= 6


def test_every_rule_can_be_failed() -> None:
    question = Question(messages=(), label="card")
    good = "Regarding your card: please open the card menu in the app. — Meridian"
    failing = (
        good.replace("Regarding your card", "About your card"),
        good.replace("your card", "your loan"),
        good.replace("please ", ""),
        good.replace("card menu", "card menu 3"),
        good.replace("please", "please don't be sorry and"),
        good.replace("card menu", "card menu " + "and look " * 10),
        good.replace("— Meridian", "— the bank"),
    )
    assert passes_all(check_answer(RULES, good, question))
    for rule, answer in zip(RULES, failing, strict=True):
        assert not {r.rule_id: r.passed for r in check_answer(RULES, answer, question)}[rule.id], rule.text


def test_prompt_has_at_least_300_tokens() -> None:
    weights = starter_weights()
    if weights is None:
        pytest.skip("the starter's weights are not installed")
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(weights.parent, gguf_file=weights.name)
    assert sum(len(tokenizer.encode(message.content)) for message in PROMPT.messages) >= 300


def _labels() -> tuple[str, ...]:
    return next(rule.check.labels for rule in RULES if rule.check.gold)
