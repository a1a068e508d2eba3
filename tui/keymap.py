"""The user's own keys, checked against the table of actions: unknown actions, unknown keys, clashes.

Pure. An invalid entry is reported and left out, so that no action loses its key by mistake.
"""

from collections.abc import Mapping

from textual.keys import Keys, _character_to_key, key_to_character

from engine.errors import UsageError
from tui.actions import ACTIONS, BOUND, OVER, chain, non_printing
from tui.settings import did_you_mean

_MODIFIERS = {"ctrl", "alt", "shift", "meta", "super", "hyper"}
_NAMES = {key.value for key in Keys}


def own_keys(wanted: Mapping[str, str]) -> tuple[dict[str, str], tuple[UsageError, ...]]:
    """Return the valid entries, in Textual's key names, and an error for each invalid one.

    Of two entries that clash, the later is left out; one that clashes with an action's default key is left out itself.
    A global action that was given only letters also keeps those of its default keys that are not letters and are free:
    otherwise it could not be reached while text is typed.
    """
    kept: dict[str, str] = {}
    errors: list[UsageError] = []
    for name, keys in wanted.items():
        pressed = [normalised(key) for key in keys.split(",") if key.strip()]
        strange = [key for key in pressed if not _can_be_pressed(key)]
        if name not in BOUND:
            near = did_you_mean(
                name, BOUND, otherwise=f"A name is a place, a dot and an action, such as {next(iter(BOUND))}."
            )
            errors.append(UsageError("Unknown action in the settings.", f"keys: {name}.", near))
        elif strange or not pressed:
            detail = f"keys: {name} = {', '.join(strange) or 'nothing'}."
            errors.append(UsageError("Unknown key in the settings.", detail, "The default key is used."))
        else:
            kept[name] = ",".join(pressed)
    while (clash := _first_clash({**BOUND, **kept}, kept)) is not None:
        out, other, key = clash
        del kept[out]
        detail = f"keys: {key} is used for both {out} and {other}."
        errors.append(UsageError("Two actions share a key.", detail, f"{out} keeps its default key."))
    taken = {key for keys in kept.values() for key in keys.split(",")}
    for name, keys in kept.items():
        if _place(name) == "everywhere" and not non_printing(keys):
            kept[name] = ",".join([keys, *(key for key in non_printing(BOUND[name]) if key not in taken)])
    return kept, tuple(errors)


def over_others(own: Mapping[str, str]) -> dict[str, str]:
    """Return these entries for modal screens, under the names of their bindings, such as `over.quit`.

    The user's own keys that type a character are left out: there they only type, and typed text is never lost.
    """
    return {
        name: ",".join(key for key in keys.split(",") if key in non_printing(keys) or key in OVER[name].split(","))
        for place, keys in own.items()
        if (name := place.replace("everywhere.", "over.", 1)) in OVER
    }


def normalised(key: str) -> str:
    """Return a key's name in Textual: `?` is `question_mark`."""
    *modifiers, last = key.strip().split("+") if len(key.strip()) > 1 else [key.strip()]
    return "+".join([*modifiers, _character_to_key(last) if len(last) == 1 else last])


def _can_be_pressed(key: str) -> bool:
    *modifiers, last = key.split("+")
    known = last in _NAMES or key_to_character(last) is not None
    return known and set(modifiers) <= _MODIFIERS


def _first_clash(table: Mapping[str, str], kept: Mapping[str, str]) -> tuple[str, str, str] | None:
    """The last entry that shares a key with a binding active at the same time, that binding, and the key."""
    for name in reversed(list(kept)):
        for other, keys in table.items():
            shared = set(keys.split(",")) & set(kept[name].split(",")) - _shadowed(name, other)
            if other != name and shared and _meet(_place(name), _place(other)):
                return name, other, min(shared)
    return None


def _shadowed(one: str, other: str) -> set[str]:
    """The keys that both have by default: there the nearer place takes them, as always."""
    return set(BOUND[one].split(",")) & set(BOUND[other].split(","))


def _place(name: str) -> str:
    return name.partition(".")[0]


def _meet(one: str, other: str) -> bool:
    """Whether one key press can be looked up in both places."""
    return any({one, other} <= set(chain(place)) for place in ACTIONS)
