"""Benchmark prompts: one folder of data each, read by the same parsers as the user's own files.

    prompt.md         the prompt, as `prompt set` reads it
    rules.yaml        its rules, as `rules import` reads them
    questions.jsonl   questions with topics, and gold labels if a rule needs one, as `questions import` reads them

The split is drawn here, by topic and with a fixed seed, so that everyone trains and tests on the same questions.
Knows nothing of projects.
"""

import hashlib
from dataclasses import dataclass, replace

from engine.bundled import bundled_folder
from engine.errors import NotFoundError, UsageError
from engine.paths import expand, sha256_of
from engine.prompts.documents import parse_prompt
from engine.questions.importers import import_questions
from engine.questions.split import split_by_topic
from engine.records.prompt import Prompt
from engine.records.question import Question
from engine.records.rule import Rule
from engine.rules.documents import parse_rules
from engine.texts import read_text

SPLIT_SEED = 0
FRACTIONS = (0.54, 0.12, 0.34)  # of train, validation and test: a verdict needs 35 held-out questions
BUNDLED = ("triage", "desk", "handbook", "manual")  # from the shortest to the longest
FILES = ("prompt.md", "rules.yaml", "questions.jsonl")


@dataclass(frozen=True, slots=True)
class BenchmarkPrompt:
    """One prompt of the benchmark. `questions` are split; `sha256` is the hash of each file, by its name."""

    name: str
    prompt: Prompt
    rules: tuple[Rule, ...]
    questions: tuple[Question, ...]
    sha256: tuple[tuple[str, str], ...]

    @property
    def data_sha256(self) -> str:
        """One hash over all its files."""
        return hashlib.sha256("\n".join(f"{digest}  {name}" for name, digest in self.sha256).encode()).hexdigest()


def load_benchmark_prompt(name: str) -> BenchmarkPrompt:
    """Load the bundled prompt of this name, or one from a folder if `name` has a slash or starts with a dot.

    Raises NotFoundError if there is none, and UsageError for an invalid file.
    """
    folder = expand(name) if "/" in name or name.startswith(".") else bundled_folder("bench") / name
    if name not in BUNDLED and folder.parent == bundled_folder("bench"):
        raise NotFoundError(
            f"There is no benchmark prompt {name}.",
            f"The bundled ones are {', '.join(BUNDLED)}.",
            "Name one of these, or your own folder: distill-tui bench ./mine",
        )
    try:
        missing = [file for file in FILES if not (folder / file).is_file()]
    except OSError as error:
        raise NotFoundError(
            "Cannot read the benchmark prompt.", f"{error.filename}: {error.strerror}.", "Check the path."
        ) from error
    if missing:
        raise NotFoundError(
            "The folder is not a benchmark prompt.",
            f"{folder} has no {' and no '.join(missing)}.",
            f"A benchmark prompt is a folder with {', '.join(FILES)}.",
        )
    prompt_file, rules_file, questions_file = (folder / file for file in FILES)
    imported = import_questions(str(questions_file))
    for refusal in imported.refused:
        raise UsageError(
            f"Cannot use {questions_file.name}", f"Line {refusal.line}: {refusal.reason}.", "Correct the line."
        )
    return BenchmarkPrompt(
        name=folder.resolve().name,
        prompt=parse_prompt(read_text(str(prompt_file)), str(prompt_file)),
        rules=parse_rules(read_text(str(rules_file)), str(rules_file)),
        questions=_split(imported.questions),
        sha256=tuple((file, sha256_of(folder / file)) for file in FILES),
    )


def _split(questions: tuple[Question, ...]) -> tuple[Question, ...]:
    numbered = [replace(question, id=number) for number, question in enumerate(questions, start=1)]
    drawn = split_by_topic(numbered, SPLIT_SEED, FRACTIONS)
    return tuple(replace(question, id=0, split=drawn[question.id]) for question in numbered)
