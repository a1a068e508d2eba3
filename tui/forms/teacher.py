"""The fields that say which teacher is asked, the same wherever one is; and what is known of its key and its price."""

from collections.abc import Callable, Sequence

from engine.clean import clean_line
from engine.errors import UsageError
from engine.paths import model_name
from engine.records.options import TeacherSpec
from engine.teachers.keys import check_address
from engine.teachers.outlook import KeyState, Money
from tui.forms.screen import Field, Values
from tui.widgets.lines import dollars

LOCAL, ENDPOINT = "this machine", "an endpoint"


def teacher_fields(spec: TeacherSpec, values: Callable[[], Values]) -> Sequence[Field]:
    """Which teacher, its model, its address, its key. `values`: of the form, as they stand."""

    def at_an_endpoint() -> bool:
        return values()["teacher"] == ENDPOINT

    return (
        Field("teacher", "teacher", ENDPOINT if spec.kind == "endpoint" else LOCAL, choices=(LOCAL, ENDPOINT)),
        Field("model", "  model", spec.model, "starter, a folder, or a hub's owner/name; there: its name", path=True,
              check=lambda value: _model_trouble(value, at_an_endpoint())),
        Field("address", "  address", spec.base_url, "for an endpoint: https://host/v1",
              check=lambda value: address_trouble(value) if at_an_endpoint() else ""),
        Field("key", "  key", "", "for an endpoint; empty: the key that is known", secret=True),
    )  # fmt: skip


def teacher_of(values: Values) -> TeacherSpec | None:
    """The teacher that the fields name; None while they name none."""
    if not values["model"]:
        return None
    try:
        if values["teacher"] == LOCAL:
            return TeacherSpec("local", model_name(values["model"]))
        return TeacherSpec("endpoint", values["model"], check_address(values["address"]))
    except UsageError:  # told under its field
        return None


def address_trouble(value: str) -> str:
    """What is wrong with an address, or nothing."""
    try:
        check_address(value)
    except UsageError as error:
        return clean_line(f"{error.title} {error.next}")
    return ""


def _model_trouble(value: str, at_an_endpoint: bool) -> str:
    if not value:
        return "Name the model."
    if not at_an_endpoint:
        try:
            model_name(value)
        except UsageError as error:
            return clean_line(error.message)
    return ""


def key_words(key: KeyState | None, values: Values) -> str:
    """Where the key comes from; nothing for a teacher that needs none."""
    if key is None:
        return ""
    if values["key"]:
        return "Key: the one that is typed; it is kept for this host in a file that only you can read."
    if key.place is not None:
        return f"Key: {clean_line(key.place)}."
    return f"! Type the key, or set {key.variable} and start anew."


def key_trouble(key: KeyState | None, values: Values) -> str:
    """What is wrong where a key is needed and there is none."""
    missing = key is not None and key.place is None and not values["key"]
    return "This endpoint needs a key." if missing else ""


def money_words(money: Money) -> str:
    """What it will cost."""
    if money.usd is None or money.most_usd is None:
        return "What it costs is not known: no price is listed for this model."
    if money.most_usd == 0:
        return f"Nothing is paid: {money.source}."
    most = f", at most {dollars(money.most_usd)}" if money.most_usd > money.usd else ""
    return f"≈ {dollars(money.usd)}{most}, at list prices, nothing cached."
