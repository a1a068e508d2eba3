"""The fields that choose a teacher, the same in every form; and what is known about its key and its price."""

from collections.abc import Callable, Sequence

from engine.clean import clean_line
from engine.economics.prices import GIVEN, own_prices
from engine.errors import UsageError
from engine.records.cost import EndpointPrices
from engine.records.options import TeacherSpec
from engine.teachers.keys import check_address
from engine.teachers.outlook import KeyState, Money
from tui.forms.checks import number
from tui.forms.screen import Field, Values
from tui.widgets.lines import dollars

LOCAL, ENDPOINT = "this machine", "an endpoint"
PRICES_HINT = "USD per million tokens: input, cached, output"
_PRICE = number(0.0)


def teacher_fields(spec: TeacherSpec, values: Callable[[], Values]) -> Sequence[Field]:
    """Return the fields for teacher, model, address and key. `values` returns the form's current values."""

    def at_an_endpoint() -> bool:
        return values()["teacher"] == ENDPOINT

    return (
        Field("teacher", "teacher", ENDPOINT if spec.kind == "endpoint" else LOCAL, choices=(LOCAL, ENDPOINT)),
        Field("model", "  model", spec.model, "starter, folder, or owner/name; endpoint: its name", path=True,
              check=model_trouble),
        Field("address", "  address", spec.base_url, "for an endpoint: https://host/v1",
              check=lambda value: address_trouble(value) if at_an_endpoint() else ""),
        Field("key", "  key", "", "for an endpoint; empty: the configured key", secret=True),
    )  # fmt: skip


def teacher_of(values: Values) -> TeacherSpec:
    """The teacher that the fields describe, each of them valid, by the name that was typed.

    Whether a folder of that name exists is left to the store's thread: at each key, its disk might not answer.
    """
    if values["teacher"] == LOCAL:
        return TeacherSpec("local", values["model"])
    return TeacherSpec("endpoint", values["model"], check_address(values["address"]))


def address_trouble(value: str) -> str:
    """What is wrong with an address, or an empty string."""
    try:
        check_address(value)
    except UsageError as error:
        return clean_line(f"{error.title} {error.next}")
    return ""


def model_trouble(value: str) -> str:
    """What is wrong with a model's name, whatever it names; or an empty string."""
    return "" if value else "Enter a model."


def prices_typed(given: Sequence[EndpointPrices], spec: TeacherSpec | None) -> str:
    """The prices given for an endpoint's model, as they are typed; empty if the price list's count."""
    own = own_prices(given, spec.model, spec.base_url) if spec is not None and spec.kind == "endpoint" else None
    if own is None:
        return ""
    each = (own.input_usd_per_mtok, own.cached_input_usd_per_mtok, own.output_usd_per_mtok)
    return "{:.15g} {:.15g} {:.15g}".format(*each)  # as exact as it was typed


def prices_of(value: str) -> tuple[float, float, float] | None:
    """The prices that were typed; None if the field is empty or wrong."""
    words = value.split()
    if len(words) != 3 or any(_PRICE(word) for word in words):
        return None
    plain, cached, output = map(float, words)
    return plain, cached, output


def prices_trouble(value: str) -> str:
    """What is wrong with typed prices, or an empty string."""
    return "" if not value or prices_of(value) else "Three prices: input, cached input and output, such as 0.5 0.05 2."


def key_text(key: KeyState | None, values: Values) -> str:
    """Where the key comes from; empty for a teacher that needs none."""
    if key is None:
        return ""
    if values["key"]:
        return "Key: as typed; it will be stored for this host in a file that only you can read."
    if key.place is not None:
        return f"Key: {clean_line(key.place)}."
    return f"! Type the key, or set {key.variable} and restart."


def key_trouble(key: KeyState | None, values: Values) -> str:
    """What is wrong if a key is needed and there is none, else an empty string."""
    missing = key is not None and key.place is None and not values["key"]
    return "This endpoint needs a key." if missing else ""


def money_text(money: Money) -> str:
    """The expected cost in words."""
    if money.usd is None or money.most_usd is None:
        return "Cost unknown: no price is listed; the project's settings can give one."
    if money.most_usd == 0:
        return f"No cost: {money.source}."
    most = f", at most {dollars(money.most_usd)}" if money.most_usd > money.usd else ""
    prices = "the given" if money.source == GIVEN else "list"
    return f"≈ {dollars(money.usd)}{most}, at {prices} prices without caching."
