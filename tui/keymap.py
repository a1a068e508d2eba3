"""A person's own keys, held against the table of actions: what is known, what can be pressed, and what would clash.

Pure. An entry that cannot hold is named and left out, so that no action loses its key by a slip.
"""

from collections.abc import Mapping

from textual.keys import Keys, _character_to_key, key_to_character

from engine.errors import UsageError
from tui.actions import ACTIONS, BOUND, OVER, OVER_PANES, Place, typeless
from tui.settings import did_you_mean

_MODIFIERS = {"ctrl", "alt", "shift", "meta", "super", "hyper"}
# The places that are screens of their own; every other one is somewhere in the workspace.
_SCREENS: tuple[Place, ...] = ("curate", "narrow", "start", "form", "help")
_NAMES = {key.value for key in Keys}


def own_keys(wanted: Mapping[str, str]) -> tuple[dict[str, str], tuple[UsageError, ...]]:
    """The entries that can hold, in Textual's names of keys, and an error for each that cannot.

    Of two entries that clash the later is left out; one that clashes with an action's own key is left out itself. What
    holds everywhere and was given letters alone keeps those of its keys beside them that are none, and are free: else
    it could not be reached where text is typed.
    """
    kept: dict[str, str] = {}
    errors: list[UsageError] = []
    for name, keys in wanted.items():
        pressed = [normalised(key) for key in keys.split(",") if key.strip()]
        strange = [key for key in pressed if not _can_be_pressed(key)]
        if name not in BOUND:
            near = did_you_mean(
                name, BOUND, otherwise=f"A name is its place, a dot and its action: {next(iter(BOUND))}."
            )
            errors.append(UsageError("There is no such action.", f"keys: {name}.", near))
        elif strange or not pressed:
            said = f"keys: {name} = {', '.join(strange) or 'nothing'}."
            errors.append(UsageError("There is no such key.", said, "Its own key holds."))
        else:
            kept[name] = ",".join(pressed)
    while (clash := _first_clash({**BOUND, **kept}, kept)) is not None:
        out, other, key = clash
        del kept[out]
        said = f"keys: {key} would be both {out} and {other}."
        errors.append(UsageError("Two actions have one key.", said, f"{out} keeps its own key."))
    taken = {key for keys in kept.values() for key in keys.split(",")}
    for name, keys in kept.items():
        if _place(name) == "everywhere" and not typeless(keys):
            kept[name] = ",".join([keys, *(key for key in typeless(BOUND[name]) if key not in taken)])
    return kept, tuple(errors)


def over_others(own: Mapping[str, str]) -> dict[str, str]:
    """What becomes of these entries on a screen that lies over another, by the names of its bindings: `over.quit`.

    A letter or a sign of a person's own is only what it types there, and never loses what was typed.
    """
    return {
        name: ",".join(key for key in keys.split(",") if key in typeless(keys) or key in OVER[name].split(","))
        for place, keys in own.items()
        if (name := place.replace("everywhere.", "over.", 1)) in OVER
    }


def normalised(key: str) -> str:
    """A key as Textual names it: `?` is `question_mark`."""
    *modifiers, last = key.strip().split("+") if len(key.strip()) > 1 else [key.strip()]
    return "+".join([*modifiers, _character_to_key(last) if len(last) == 1 else last])


def _can_be_pressed(key: str) -> bool:
    *modifiers, last = key.split("+")
    known = last in _NAMES or key_to_character(last) is not None
    return known and set(modifiers) <= _MODIFIERS


def _first_clash(table: Mapping[str, str], kept: Mapping[str, str]) -> tuple[str, str, str] | None:
    """The last entry that shares a key with another binding that is looked for at the same moment, and that key."""
    for name in reversed(list(kept)):
        for other, keys in table.items():
            shared = set(keys.split(",")) & set(kept[name].split(",")) - _shadowed(name, other)
            if other != name and shared and _meet(_place(name), _place(other)):
                return name, other, min(shared)
    return None


def _shadowed(one: str, other: str) -> set[str]:
    """The keys that both have by the table itself: what lies nearer takes them there, as it always does."""
    return set(BOUND[one].split(",")) & set(BOUND[other].split(","))


def _place(name: str) -> str:
    return name.partition(".")[0]


def _meet(one: str, other: str) -> bool:
    """Whether a key that is pressed can be looked for in both places."""
    return any({one, other} <= set(_chain(place)) for place in ACTIONS)


def _chain(place: Place) -> tuple[Place, ...]:
    if place in _SCREENS:
        return place, "everywhere"
    under = [pane for pane, over in OVER_PANES.items() if place in over]
    return place, *under, "workspace", "everywhere"
