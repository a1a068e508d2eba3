"""The forms of the questions pane: import, write, split, and add questions."""

from collections.abc import Sequence
from pathlib import PurePath

from engine.clean import clean_line
from engine.questions.rows import Placing
from engine.records.options import SynthesizeOptions
from engine.records.prompt import Message
from engine.records.question import SPLITS, Question, Split
from tui.forms.checks import or_empty, whole
from tui.forms.screen import NOTHING, Field, FormScreen, Values
from tui.forms.teacher import teacher_of

LATER = "drawn later"
BY_HAND = "typed"
# The same limits as on the command line.
_TOPICS, _PER_TOPIC, _COUNT, _SEED, _SHARE = whole(1, 200), whole(1, 50), whole(1), whole(0), whole(1, 90)
_PLACINGS: dict[str, Placing] = {"as in the file": "file", LATER: "later", **{name: name for name in SPLITS}}
_FORMATS = {
    ".txt": "Text: one question per line.",
    ".text": "Text: one question per line.",
    ".jsonl": "JSONL: one object per line, with a question or the messages of a chat.",
    ".ndjson": "JSONL: one object per line, with a question or the messages of a chat.",
    ".csv": "CSV: the first row names the columns.",
    ".tsv": "TSV: the first row names the columns.",
    ".parquet": "Parquet.",
    "": "A `datasets` folder or hub name (owner/name), or a file of text or JSON lines.",
}


def import_form(values: Values = NOTHING, errors: Values = NOTHING) -> FormScreen:
    """Return a form that asks what to import."""
    return FormScreen(
        "Import questions",
        [
            Field("path", "path or hub name", hint="~/traffic.jsonl", path=True,
                  check=lambda value: "" if value and not value.startswith("-") else "Enter a path or a hub name."),
            Field("text", "question column", hint="empty: question, text, messages, …"),
            Field("topic", "topic column", hint="empty: topic, category or intent"),
            Field("label", "label column", hint="empty: label or gold"),
            Field("split", "split", choices=tuple(_PLACINGS)),
            Field("limit", "maximum questions", hint="empty: all", check=or_empty(_COUNT)),
        ],
        go="preview", values=values, errors=errors,
        aside=lambda now: f"{format_text(now['path'])}\nYou see what would be stored before it is.",
    )  # fmt: skip


def import_args(values: Values) -> list[str]:
    """Return the command-line arguments for the form's values."""
    words: list[str] = []
    for name, option in (
        ("text", "--text-column"), ("topic", "--topic-column"), ("label", "--label-column"), ("limit", "--limit"),
    ):  # fmt: skip
        if values[name]:
            words += [option, values[name]]
    return [values["path"], "--split", _PLACINGS[values["split"]], *words]


def format_text(path: str) -> str:
    """Return how a file will be read, by its name."""
    if not path:
        return "Text, JSONL, CSV, TSV, Parquet, stored chats, a `datasets` folder or hub name."
    suffix = PurePath(path).suffix.lower()
    return _FORMATS.get(suffix, f"Questions cannot be read from {clean_line(suffix)} files.")


def synthesis_fields() -> tuple[Field, ...]:
    """Return the fields for how many questions the teacher writes."""
    return (
        Field("topics", "topics", "20", check=_TOPICS),
        Field("per_topic", "questions per topic", "10", check=_PER_TOPIC),
    )


def synthesis(values: Values) -> SynthesizeOptions:
    """Return the options that the form describes."""
    return SynthesizeOptions(teacher_of(values), int(values["topics"]), int(values["per_topic"]))


def split_form(values: Values = NOTHING, errors: Values = NOTHING) -> FormScreen:
    """Return a form that asks for the shares of validation and test."""

    def whole(now: Values) -> str:
        return "Nothing would be left to train on." if int(now["validation"]) + int(now["test"]) >= 100 else ""

    def aside(now: Values) -> str:
        left = 100 - int(now["validation"]) - int(now["test"])
        if left < 1:
            return "Nothing would be left to train on."
        return (
            f"train {left} %, validation {now['validation']} %, test {now['test']} %: by whole topics, so that near-"
            "duplicates stay together. Questions that have a split keep it. You see the result before it is stored."
        )

    return FormScreen(
        "Split the questions",
        [
            Field("validation", "validation, %", "10", check=_SHARE),
            Field("test", "test, %", "10", check=_SHARE),
            Field("seed", "seed", "0", "another seed, another split", check=_SEED),
        ],
        go="preview", aside=aside, pending="", whole=whole, values=values, errors=errors,
    )  # fmt: skip


def split_args(values: Values) -> list[str]:
    """Return the command-line arguments for the form's values."""
    shares = [str(int(values[name]) / 100) for name in ("validation", "test")]
    return ["--validation", shares[0], "--test", shares[1], "--seed", values["seed"]]


def add_form(topics: Sequence[str]) -> FormScreen:
    """Return a form that asks for one question."""

    def aside(now: Values) -> str:
        known = [topic for topic in topics if topic and now["topic"] and topic.startswith(now["topic"])]
        return (
            f"Topics so far: {clean_line(', '.join((known or list(filter(None, topics)))[:8]), 200)}" if topics else ""
        )

    return FormScreen(
        "Add a question",
        [
            Field("text", "question", hint="as a user would write it",
                  check=lambda value: "" if value else "Type a question."),
            Field("topic", "topic", hint="optional"),
            Field("split", "split", choices=(LATER, *SPLITS)),
        ],
        go="add", aside=aside,
    )  # fmt: skip


def added_question(values: Values) -> Question:
    """Return the question in the form."""
    splits: dict[str, Split] = {name: name for name in SPLITS}
    return Question(
        (Message("user", values["text"]),), topic=values["topic"], source=BY_HAND, split=splits.get(values["split"])
    )
