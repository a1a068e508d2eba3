"""The frozen dataset: prompt-free rows of token ids. Knows nothing of tokenizers."""

from dataclasses import dataclass
from typing import Literal

from engine.records.prompt import Prompt
from engine.records.question import Question, Split
from engine.records.rule import Rule

RowKey = tuple[int, int]  # which of the dataset's prompts, and a number within that prompt's project


@dataclass(frozen=True, slots=True)
class DatasetRow:
    """One accepted example, tokenised once. Losses read these ids only."""

    example_id: int
    question_id: int
    split: Split
    question_ids: tuple[int, ...]  # the prompt-free text up to where the answer begins
    completion_ids: tuple[int, ...]  # the answer with its stop token
    # First completion token that a person's edit changed: from here on, cross-entropy alone.
    # len(completion_ids) when nothing was edited; 0 for answers that have no local teacher distribution.
    edited_from: int
    fixed: tuple[bool, ...]  # for each completion token: a rule dictates it
    prompt_index: int = 0  # whose answer it is: 0 the project's own prompt's, 1 that of the first of `Dataset.others`

    @property
    def example_key(self) -> RowKey:
        return self.prompt_index, self.example_id

    @property
    def question_key(self) -> RowKey:
        return self.prompt_index, self.question_id

    @property
    def name(self) -> str:
        """What messages call it: ids are those of its prompt's own project."""
        return f"Example {self.example_id}" + (f" of prompt {self.prompt_index + 1}" if self.prompt_index else "")


@dataclass(frozen=True, slots=True)
class TaughtPrompt:
    """One of the prompts that an adapter learns: what was asked behind it, and the rules that its answers keep."""

    prompt: Prompt
    questions: tuple[Question, ...]
    rules: tuple[Rule, ...] = ()
    project: str = ""  # where it is from, by name or folder; empty for the project's own
    accepted_sha256: str = ""  # what was accepted there when it was frozen


@dataclass(frozen=True, slots=True)
class Dataset:
    """A frozen list of rows, named by its content. A run says which one it was trained on."""

    sha256: str
    prompt_sha256: str
    base: str  # the student's base model, whose tokenizer made the ids
    rows: tuple[DatasetRow, ...]
    created_at: str = ""
    others: tuple[TaughtPrompt, ...] = ()  # the prompts of other projects that one adapter is to carry too

    def split(self, name: Split) -> tuple[DatasetRow, ...]:
        return tuple(row for row in self.rows if row.split == name)

    @property
    def questions_in_common(self) -> int:
        """Questions that several of the prompts answer: nothing tells the student which answer is wanted."""
        asked: dict[tuple[int, ...], set[int]] = {}
        for row in self.rows:
            asked.setdefault(row.question_ids, set()).add(row.prompt_index)
        return sum(len(prompts) > 1 for prompts in asked.values())


@dataclass(frozen=True, slots=True)
class OtherPrompt:
    """How many of a dataset's rows are answers of another project's prompt."""

    project: str
    prompt_sha256: str
    train: int
    validation: int


@dataclass(frozen=True, slots=True)
class DatasetSummary:
    """What lists show of a dataset without reading its rows. The counts are those of all its prompts."""

    sha256: str
    prompt_sha256: str
    base: str
    train: int
    validation: int
    created_at: str  # when this content was frozen last
    others: tuple[OtherPrompt, ...] = ()

    @property
    def prompts(self) -> int:
        """How many it teaches."""
        return 1 + len(self.others)


LeakKind = Literal["message", "overlap"]  # a whole prompt message; 13 or more words of the system message


@dataclass(frozen=True, slots=True)
class LeakFinding:
    """A row that repeats the prompt: which words, and from which message of the prompt."""

    example_id: int
    question_id: int
    kind: LeakKind
    words: str


RefusalKind = Literal["no_split", "system_message", "cut", "message", "overlap", "too_long"]


@dataclass(frozen=True, slots=True)
class Refusal:
    """An accepted example that cannot be frozen as it stands. `words`: of the prompt, or why."""

    example_id: int
    question_id: int
    kind: RefusalKind  # "message" and "overlap" as in LeakFinding; an overlap alone can be allowed
    words: str


@dataclass(frozen=True, slots=True)
class TopicRows:
    """How many rows one topic gives to one split."""

    topic: str
    split: Split
    rows: int


@dataclass(frozen=True, slots=True)
class FreezePreview:
    """What freezing would do now: the rows of it, what stays out, and what has to be mended first."""

    topics: tuple[TopicRows, ...]
    refused: tuple[Refusal, ...]
    undecided: int
    rejected: int
    test: int  # accepted answers to questions of the test split, which are never trained on
    repeated: int  # accepted answers that are in already, word for word, for the same question
    lengths_checked: bool  # whether the student's tokenizer is here to measure them

    def rows(self, split: Split) -> int:
        return sum(topic.rows for topic in self.topics if topic.split == split)
