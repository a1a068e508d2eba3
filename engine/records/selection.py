"""Which examples are meant: list filters and picked examples. Knows nothing of how they are found."""

from dataclasses import dataclass, replace

from engine.records.example import ExampleState

IdRange = tuple[int, int]  # example ids, inclusive at both ends


@dataclass(frozen=True, slots=True)
class Selection:
    """All examples that match every filter that is set. `ids` and `spans` are combined; `without` removes ids."""

    prompt_sha256: str | None = None
    state: ExampleState | None = None
    flagged: bool | None = None
    topic: str | None = None
    failing_rule: int | None = None  # id of a rule that the generated answer fails
    search: str = ""  # words in the question or answer
    contains: str = ""  # text in the answer, case-insensitive
    ids: tuple[int, ...] = ()
    spans: tuple[IdRange, ...] = ()
    without: tuple[int, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether no filter is set: it would select everything, most likely by mistake."""
        return replace(self, search=self.search.strip()) == Selection()
