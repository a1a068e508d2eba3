"""The fields that choose a teacher or another endpoint, the same in every form; and what their values mean."""

from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from engine.clean import clean_line
from engine.economics.prices import GIVEN, own_prices
from engine.errors import UsageError
from engine.records.cost import EndpointPrices
from engine.records.options import ProjectSettings, TeacherSpec
from engine.teachers.keys import check_address
from engine.teachers.outlook import KeyState, Money
from tui.forms.checks import number
from tui.forms.screen import Field, Values
from tui.widgets.lines import dollars

LOCAL, ENDPOINT = "this machine", "an endpoint"
_PRICE = number(0.0)


def student_field(base: str) -> Field:
    """Return the field for the student's base."""
    return Field("student", "student", base, "starter, a folder, or a hub's owner/name", path=True, check=model_trouble)


def teacher_fields(spec: TeacherSpec, values: Callable[[], Values]) -> Sequence[Field]:
    """Return the fields for teacher, model, address and key. `values` returns the form's current values."""
    return endpoint_fields("teacher", "teacher", LOCAL, spec, values)


def endpoint_fields(
    who: str,
    label: str,
    other: str,
    spec: TeacherSpec | None,
    values: Callable[[], Values],
    prices: Sequence[EndpointPrices] | None = None,
) -> Sequence[Field]:
    """Return the field `who`, a choice of `other` or an endpoint, and those for the endpoint's model, address and key.

    `spec` fills them in, unless it is None; where `prices` are given there is a field for those of the model, too.
    """
    spec = spec or TeacherSpec("local", "")
    part = _part(who)

    def there(check: Callable[[str], str]) -> Callable[[str], str]:
        return lambda value: check(value) if values()[who] == ENDPOINT else ""

    here = other == LOCAL  # which has a model as well
    hint = "starter, folder, or owner/name; endpoint: its name" if here else "for an endpoint: its name there"
    fields = [
        Field(who, label, ENDPOINT if spec.kind == "endpoint" else other, choices=(other, ENDPOINT)),
        Field(f"{part}model", "  model", spec.model, hint, path=here,
              check=model_trouble if here else there(model_trouble)),
        Field(f"{part}address", "  address", spec.base_url, "for an endpoint: https://host/v1",
              check=there(address_trouble)),
        Field(f"{part}key", "  key", "", "for an endpoint; empty: the configured key", secret=True),
    ]  # fmt: skip
    if prices is not None:
        typed, hint = prices_typed(prices, spec), "USD per million tokens: input, cached, output"
        fields.append(Field(f"{part}prices", "  prices", typed, hint, check=there(prices_trouble)))
    return fields


def endpoint_of(values: Values, who: str = "teacher") -> TeacherSpec | None:
    """The endpoint that the fields describe, its address as typed while it is wrong; None where none is chosen."""
    if values[who] != ENDPOINT:
        return None
    model, address = values[f"{_part(who)}model"], values[f"{_part(who)}address"]
    return TeacherSpec("endpoint", model, address if address_trouble(address) else check_address(address))


def teacher_of(values: Values) -> TeacherSpec:
    """The teacher that the fields describe, each of them valid, by the name that was typed.

    Whether a folder of that name exists is left to the store's thread: at each key, its disk might not answer.
    """
    return endpoint_of(values) or TeacherSpec("local", values["model"])


def teaching_text(settings: ProjectSettings) -> str:
    """Who teaches, and what leaves this machine, in a line."""
    teacher = settings.teacher
    if settings.other_teacher is None:
        return "The student's base teaches, with the prompt. Nothing leaves this machine."
    name = clean_line(teacher.model)
    if teacher.kind == "endpoint":
        sent = f"prompt and questions are sent to {host_text(teacher)}"
        return f"{name or 'The endpoint'} teaches: {sent}. Evaluations include it."
    return f"{name} teaches on this machine. Evaluations include it."


def host_text(spec: TeacherSpec) -> str:
    """The host of an endpoint, as the reader is told where something is sent."""
    return "that address" if address_trouble(spec.base_url) else clean_line(urlsplit(spec.base_url).hostname or "")


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


def _part(who: str) -> str:
    """What the names of its fields begin with: a teacher's stand for themselves."""
    return "" if who == "teacher" else f"{who}_"
