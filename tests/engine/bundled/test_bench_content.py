"""The benchmark's bundled prompts: stated lengths, rules that answers can pass and fail, clean questions."""

import dataclasses
from collections import Counter, defaultdict

import pytest
import yaml

from engine.benchmark.prompts import BUNDLED, FILES, BenchmarkPrompt, load_benchmark_prompt
from engine.bundled import bundled_folder
from engine.curation.leak import RowText, find_leaks
from engine.evaluation.verdict import MIN_QUESTIONS
from engine.model.starter import starter_weights
from engine.questions.duplicates import find_duplicates
from engine.records.question import SPLITS, Question
from engine.records.rule import passes_all
from engine.rules.checks import check_answer
from engine.rules.locate import locate_rule

PROMPTS = {name: load_benchmark_prompt(name) for name in BUNDLED}
LENGTHS = {"triage": (100, 5, 5), "desk": (500, 8, 11), "handbook": (2_000, 15, 20), "manual": (6_000, 25, 30)}

every_prompt = pytest.mark.parametrize("benchmark", PROMPTS.values(), ids=PROMPTS)


@dataclasses.dataclass(frozen=True)
class ReferenceAnswer:
    """A hand-written answer; `rule` is the id of the only rule it fails, or 0."""

    answer: str
    label: str | None
    rule: int

    def failed_rules(self, benchmark: BenchmarkPrompt) -> list[int]:
        question = Question(messages=(), label=self.label)
        return [found.rule_id for found in check_answer(benchmark.rules, self.answer, question) if not found.passed]


def reference_answers(benchmark: BenchmarkPrompt) -> list[ReferenceAnswer]:
    text = (bundled_folder("bench") / benchmark.name / "answers.yaml").read_text(encoding="utf-8")
    rows = [*(document := yaml.safe_load(text))["good"], *document["bad"]]
    return [ReferenceAnswer(row["answer"], row.get("label"), row.get("rule", 0)) for row in rows]


def text_of(question: Question) -> str:
    return question.messages[-1].content


def test_every_folder_is_a_benchmark_prompt_with_all_its_files() -> None:
    folders = {path.name for path in bundled_folder("bench").iterdir() if path.is_dir()}
    assert folders == set(BUNDLED) == set(LENGTHS)
    for name in BUNDLED:
        files = {path.name for path in (bundled_folder("bench") / name).iterdir()}
        assert files == {*FILES, "answers.yaml"}


@every_prompt
def test_number_of_rules_fits_the_length_of_the_prompt(benchmark: BenchmarkPrompt) -> None:
    _, fewest, most = LENGTHS[benchmark.name]
    assert fewest <= len(benchmark.rules) <= most
    assert len({rule.text for rule in benchmark.rules}) == len(benchmark.rules)


def test_prompts_have_their_stated_length_in_tokens() -> None:
    weights = starter_weights()
    if weights is None:
        pytest.skip("the starter's weights are not installed")
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(weights.parent, gguf_file=weights.name)
    for name, benchmark in PROMPTS.items():
        tokens = sum(len(tokenizer.encode(message.content)) for message in benchmark.prompt.messages)
        assert tokens == pytest.approx(LENGTHS[name][0], rel=0.15), name


@every_prompt
def test_reference_answers_pass_every_rule_except_their_intended_one(
    benchmark: BenchmarkPrompt,
) -> None:
    rows = reference_answers(benchmark)
    assert {row.rule for row in rows} == {0, *(rule.id for rule in benchmark.rules)}
    failed = {row: row.failed_rules(benchmark) for row in rows}
    assert {row.answer: found for row, found in failed.items() if found != ([row.rule] if row.rule else [])} == {}


@every_prompt
def test_every_rule_is_stated_in_the_prompt(benchmark: BenchmarkPrompt) -> None:
    missing = [rule.text for rule in benchmark.rules if not locate_rule(rule, benchmark.prompt.messages)]
    assert missing == []


@every_prompt
def test_good_answers_are_not_reported_as_prompt_leaks(benchmark: BenchmarkPrompt) -> None:
    """Otherwise curation would reject what the rules ask for."""
    rows = [RowText(0, 0, (), row.answer) for row in reference_answers(benchmark) if not row.rule]
    assert find_leaks(benchmark.prompt, rows) == ()


@every_prompt
def test_example_turns_pass_every_rule(benchmark: BenchmarkPrompt) -> None:
    turns = benchmark.prompt.example_turns
    assert len(turns) >= 2
    for message in turns[1::2]:
        assert passes_all(check_answer(benchmark.rules, message.content)), message.content


@every_prompt
def test_questions_are_numerous_varied_and_without_near_duplicates(benchmark: BenchmarkPrompt) -> None:
    questions = benchmark.questions
    assert 100 <= len(questions) <= 200
    assert len({text_of(question).casefold() for question in questions}) == len(questions)
    assert find_duplicates(questions, threshold=0.5) == ()
    assert all(4 <= len(text_of(question).split()) <= 20 for question in questions)
    openings = Counter(" ".join(text_of(question).casefold().split()[:3]) for question in questions)
    assert openings.most_common(1)[0][1] <= 6, "too many questions start alike"
    example_questions = {message.content.casefold() for message in benchmark.prompt.example_turns[::2]}
    assert example_questions.isdisjoint(text_of(question).casefold() for question in questions)


@every_prompt
def test_topics_are_in_one_split_each_and_every_split_is_large_enough(benchmark: BenchmarkPrompt) -> None:
    topics: dict[str, set[str]] = defaultdict(set)
    for question in benchmark.questions:
        topics[question.topic].add(question.split or "")
    assert len(topics) >= 18
    assert {topic: splits for topic, splits in topics.items() if len(splits) != 1} == {}
    counts = Counter(question.split for question in benchmark.questions)
    assert set(counts) == set(SPLITS)
    assert counts["test"] >= MIN_QUESTIONS
    assert counts["train"] >= 60
    assert counts["validation"] >= 10


@every_prompt
def test_questions_have_gold_labels_if_a_rule_needs_them(benchmark: BenchmarkPrompt) -> None:
    gold_rules = [rule for rule in benchmark.rules if rule.check.gold]
    labels = {question.label for question in benchmark.questions}
    assert labels == (set(gold_rules[0].check.labels) if gold_rules else {None})
    of_split = {(question.split, question.label) for question in benchmark.questions}
    missing = {label for label in labels if ("train", label) not in of_split or ("test", label) not in of_split}
    assert missing == set()


def test_loading_a_prompt_again_gives_the_same_split() -> None:
    again = load_benchmark_prompt("desk")
    assert again == PROMPTS["desk"]
    assert len(again.data_sha256) == 64
