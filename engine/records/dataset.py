"""The frozen dataset: prompt-free rows of token ids. Knows nothing of tokenizers."""

from dataclasses import dataclass
from typing import Literal

from engine.records.prompt import Prompt
from engine.records.question import Question, Split
from engine.records.rule import Rule

RowKey = tuple[int, int]  # (index of the dataset's prompt, id within that prompt's project)


@dataclass(frozen=True, slots=True)
class DatasetRow:
    """One accepted example, tokenised once. Losses read these ids only."""

    example_id: int
    question_id: int
    split: Split
    question_ids: tuple[int, ...]  # the prompt-free text before the answer
    completion_ids: tuple[int, ...]  # the answer with its stop token
    # Index of the first completion token changed by a person's edit; from here on, only cross-entropy applies.
    # len(completion_ids) if nothing was edited; 0 for answers without a local teacher's distribution.
    edited_from: int
    fixed: tuple[bool, ...]  # per completion token: whether a rule dictates it
    prompt_index: int = 0  # 0: the project's own prompt; n: the n-th of `Dataset.others`

    @property
    def example_key(self) -> RowKey:
        return self.prompt_index, self.example_id

    @property
    def question_key(self) -> RowKey:
        return self.prompt_index, self.question_id

    @property
    def name(self) -> str:
        """Name used in messages. Ids are those of the prompt's own project."""
        return f"Example {self.example_id}" + (f" of prompt {self.prompt_index + 1}" if self.prompt_index else "")


@dataclass(frozen=True, slots=True)
class DatasetPrompt:
    """One of the prompts that an adapter learns, with its questions and the rules that its answers must pass."""

    prompt: Prompt
    questions: tuple[Question, ...]
    rules: tuple[Rule, ...] = ()
    project: str = ""  # name or folder of the project it is from; empty: this project
    accepted_sha256: str = ""  # fingerprint of what was accepted there at the time of freezing


@dataclass(frozen=True, slots=True)
class Dataset:
    """A frozen list of rows, identified by its content hash. A run names the dataset that it was trained on."""

    sha256: str
    prompt_sha256: str
    base: str  # the student's base model; the ids are from its tokenizer
    rows: tuple[DatasetRow, ...]
    created_at: str = ""
    others: tuple[DatasetPrompt, ...] = ()  # prompts of other projects that the adapter learns too

    def split(self, name: Split) -> tuple[DatasetRow, ...]:
        return tuple(row for row in self.rows if row.split == name)

    @property
    def questions_in_common(self) -> int:
        """Number of questions answered under more than one prompt: the student cannot know which answer is wanted."""
        asked: dict[tuple[int, ...], set[int]] = {}
        for row in self.rows:
            asked.setdefault(row.question_ids, set()).add(row.prompt_index)
        return sum(len(prompts) > 1 for prompts in asked.values())


@dataclass(frozen=True, slots=True)
class OtherPrompt:
    """How many of a dataset's rows belong to another project's prompt."""

    project: str
    prompt_sha256: str
    train: int
    validation: int


@dataclass(frozen=True, slots=True)
class DatasetSummary:
    """What lists show of a dataset without reading its rows. Counts cover all its prompts."""

    sha256: str
    prompt_sha256: str
    base: str
    train: int
    validation: int
    created_at: str  # when this content was last frozen
    others: tuple[OtherPrompt, ...] = ()

    @property
    def prompts(self) -> int:
        """The number of prompts that it teaches."""
        return 1 + len(self.others)


LeakKind = Literal["message", "overlap"]  # a whole prompt message; at least 13 consecutive words of the system message


@dataclass(frozen=True, slots=True)
class LeakFinding:
    """A row that repeats the prompt: `words` are the repeated words."""

    example_id: int
    question_id: int
    kind: LeakKind
    words: str


RefusalKind = Literal["no_split", "system_message", "cut", "message", "overlap", "too_long"]


@dataclass(frozen=True, slots=True)
class Refusal:
    """An accepted example that cannot be frozen as it is. `words`: the repeated words of the prompt, or the reason."""

    example_id: int
    question_id: int
    kind: RefusalKind  # "message" and "overlap" as in LeakFinding; only an overlap can be allowed
    words: str


@dataclass(frozen=True, slots=True)
class TopicRows:
    """How many rows one topic contributes to one split."""

    topic: str
    split: Split
    rows: int


@dataclass(frozen=True, slots=True)
class FreezePreview:
    """What freezing would do now: the rows, what is left out, and what must be fixed first."""

    topics: tuple[TopicRows, ...]
    refused: tuple[Refusal, ...]
    undecided: int
    rejected: int
    test: int  # accepted answers to test questions, which are never trained on
    repeated: int  # accepted answers that repeat another one for the same question, word for word
    lengths_checked: bool  # whether the student's tokenizer was available to check lengths

    def rows(self, split: Split) -> int:
        return sum(topic.rows for topic in self.topics if topic.split == split)
