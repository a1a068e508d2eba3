"""Which examples are meant: the filters of a list, and what was picked in it. Knows nothing of how they are found."""

from dataclasses import dataclass, replace

from engine.records.example import ExampleState

IdRange = tuple[int, int]  # numbers of examples, both ends included


@dataclass(frozen=True, slots=True)
class Selection:
    """All examples that fit every filter that is set. `ids` and `spans` pick together, `without` takes out again."""

    prompt_sha256: str | None = None
    state: ExampleState | None = None
    flagged: bool | None = None
    topic: str | None = None
    failing_rule: int | None = None  # broken by the answer as it was generated
    search: str = ""  # words in the question or the answer
    contains: str = ""  # text in the answer, case-insensitive
    ids: tuple[int, ...] = ()
    spans: tuple[IdRange, ...] = ()
    without: tuple[int, ...] = ()

    @property
    def empty(self) -> bool:
        """No filter at all: what a slip of the hand would mean by "everything"."""
        return replace(self, search=self.search.strip()) == Selection()
