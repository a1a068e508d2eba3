"""The texts of the cost pane's fields, what is wrong with them, and the models that match a name.

Pure Python, free of Textual and of I/O. The engine calculates with them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.economics.labels import is_share
from engine.economics.prices import ListedModel
from engine.records.cost import CostInputs
from tui.services.cost import AT, CostPage
from tui.widgets.rows import within

MODEL = "model"
_NUMBER = re.compile(r"\d+(\.\d*)?|\.\d+|\d{1,3}(,\d{3})+(\.\d*)?", re.ASCII)
_TOLD_WHOLE = 1_000
_MOST = 10**12  # the maximum of any figure: anything above it is a typing error


# The figures that can be typed, by their names in `CostInputs`, with their labels.
COLUMNS: Mapping[str, Mapping[str, str]] = {
    "usage": {
        "requests_per_day": "requests/day",
        "question_tokens": "question tokens",
        "answer_tokens": "answer tokens",
        "retrainings_per_year": "retrained/year",
        "horizon_months": "months ahead",
        "discount_rate": "discount %",
    },
    "with the prompt": {
        "input_usd_per_mtok": "input $/M",
        "cached_input_usd_per_mtok": "cached $/M",
        "cache_write_usd_per_mtok": "write $/M",
        "output_usd_per_mtok": "output $/M",
        "cache_hit_rate": "cache hits %",
        "cache_min_tokens": "cache minimum",
    },
    "distilled": {
        "distilled_input_usd_per_mtok": "input $/M",
        "distilled_output_usd_per_mtok": "output $/M",
        "generation_usd": "generation $",
        "gpu_hours": "GPU hours",
        "gpu_usd_per_hour": "GPU hour $",
        "one_time_usd": "or total cost $",
    },
}
FIELDS = {name: label for column in COLUMNS.values() for name, label in column.items()}


@dataclass(slots=True)
class CostState:
    """The fields and their latest estimate. An empty field leaves its figure to the engine.

    What is typed is accepted when the field is left by any key but escape, and not before.
    """

    texts: dict[str, str] = field(default_factory=dict)
    taken: dict[str, str] = field(default_factory=dict)
    changes: list[tuple[str, str]] = field(default_factory=list)  # a field and its text before, newest last
    page: CostPage | None = None
    models: tuple[ListedModel, ...] = ()
    chosen: int = 0  # of `models`
    choosing: bool = False  # the model's name is being typed
    _asked: int = 0

    def take(self, page: CostPage, asked: int) -> bool:
        """Take in an estimate; the first one fills the fields. Return whether it was the one requested last."""
        if asked != self._asked:
            return False
        if self.page is None:
            named = AT.join(filter(None, (page.inputs.model, page.inputs.provider)))
            self.texts = {name: typed(page.inputs, name) for name in FIELDS} | {MODEL: named}
            self.taken = dict(self.texts)
        self.page = page
        return True

    def ask(self) -> int:
        """Return the number of a new request; only its answer is used."""
        self._asked += 1
        return self._asked

    def type(self, name: str, text: str) -> bool:
        """Take in a field's text. Return whether it changed."""
        changed = self.texts.get(name, "") != text
        self.texts[name] = text
        return changed

    def keep(self, name: str) -> bool:
        """Accept the text of a field that is left; one that is wrong is replaced by the text before. Return whether the
        field or what was accepted changed.
        """
        if self.error(name):
            return self.give_up(name)
        before = self.taken.get(name, "")
        if changed := before != self.texts.get(name, ""):
            self.changes.append((name, before))
            self.taken[name] = self.texts[name]
        return changed

    def give_up(self, name: str) -> bool:
        """Restore the accepted text of a field. Return whether that changed it."""
        return self.type(name, self.taken.get(name, ""))

    def undo(self) -> str | None:
        """Undo the last change to a field. Return the field's name, or None if there was no change."""
        if not self.changes:
            return None
        name, before = self.changes.pop()
        self.texts[name] = self.taken[name] = before
        return name

    def error(self, name: str) -> str:
        """Return what is wrong with a field, or an empty text."""
        if name == MODEL:
            return ""
        words, text = FIELDS[name], self.texts.get(name, "").strip()
        if not text:
            return ""
        value = number(text)
        if value is None:
            return f"{words}: enter a number, such as {'90' if is_share(name) else '5,000 or 0.05'}"
        if is_share(name) and value > 100:
            return f"{words}: must be 0 to 100"
        return f"{words}: at most {_MOST:,}" if value > _MOST else ""

    @property
    def errors(self) -> list[str]:
        """Return what is wrong with the fields, in their order."""
        return [error for name in FIELDS if (error := self.error(name))]

    @property
    def inputs(self) -> CostInputs | None:
        """Return the fields as figures; None while one of them is invalid."""
        if self.errors:
            return None
        values: dict[str, float | None] = {}
        for name in FIELDS:
            value = number(self.texts.get(name, ""))
            values[name] = value / 100 if value is not None and is_share(name) else value
        if self.page is not None:  # which has no field
            values["prefill_tokens_per_s"] = self.page.inputs.prefill_tokens_per_s
        ranges = self.page.inputs.ranges if self.page is not None else ()
        model, _, provider = self.texts.get(MODEL, "").partition(AT)
        return CostInputs(model.strip(), provider.strip(), ranges=ranges, **values)

    def hint(self, name: str) -> str:
        """Return the figure that an empty field stands for."""
        figure = self.page.figures.get(name) if self.page is not None else None
        if figure is None:
            return ""
        # Measured hours have more digits than anyone needs.
        value = figure.value if figure.value >= _TOLD_WHOLE else float(f"{figure.value:.4g}")
        return shown(value, percent=is_share(name))

    def found(self, text: str, models: tuple[ListedModel, ...]) -> None:
        """Take in matching models; those for an older text are dropped."""
        if text == self.texts.get(MODEL, ""):
            self.models, self.chosen = models, 0

    def choose(self, steps: int) -> None:
        """Move through the models."""
        self.chosen = within(self.chosen + steps, len(self.models))

    @property
    def listed(self) -> str:
        """Return which price list has the model, if one does."""
        figure = self.page.figures.get("output_usd_per_mtok") if self.page is not None and not self.choosing else None
        return figure.source if figure is not None and figure.origin == "listed" else ""

    @property
    def model(self) -> ListedModel | None:
        """Return the model under the cursor, while a name is being typed."""
        if not self.choosing or self.chosen >= len(self.models):
            return None
        return self.models[self.chosen]


def number(text: str) -> float | None:
    """Return the number in a text, such as 5,000 or 0.05, with or without spaces around; None for anything else."""
    text = text.strip()
    return float(text.replace(",", "")) if _NUMBER.fullmatch(text) else None


def shown(value: float, *, percent: bool = False) -> str:
    """Return a figure as written in a field."""
    value = 100 * value if percent else value
    return f"{value:,.6f}".rstrip("0").rstrip(".")


def typed(inputs: CostInputs, name: str) -> str:
    """Return the text of a field for these inputs: empty if the figure was not given."""
    value: float | None = getattr(inputs, name)
    return "" if value is None else shown(value, percent=is_share(name))
