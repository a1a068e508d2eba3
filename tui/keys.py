"""The names of keys in texts: the user's own key if the action has one, else the default.

This process draws one terminal for one user, so the app sets the user's keys once, before anything is drawn. Knows no
page.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from types import MappingProxyType

from tui.actions import (
    ACTIONS,
    BOUND,
    FOOTER_KEYS,
    PANE_KEYS,
    PLACES,
    Action,
    Place,
    as_read,
    non_printing,
)

_SHOWN = {f"{place}.{action.id}": action.shown for place, actions in ACTIONS.items() for action in actions} | {
    f"workspace.{pane}": key for pane, key in PANE_KEYS.items()
}
_NAMED = re.compile(r"\{([a-z_.]+)\}")
_own: dict[str, str] = {}


def hold(own: Mapping[str, str]) -> None:
    """Set the user's own keys: `place.action` → keys in Textual's names, separated by commas."""
    _own.clear()
    _own.update(own)


def key_of(*names: str) -> str:
    """Return the readable key of an action, or of several in turn: `key_of("run.train")` is `t`.

    Raises `KeyError` if there is no such action.
    """
    return " ".join(as_read(_own[name].partition(",")[0]) if name in _own else _SHOWN[name] for name in names)


def key_in_sentence(*names: str) -> str:
    """As `key_of`, with punctuation in quotes: a comma would be read as the sentence's own."""
    return " ".join(f"“{key}”" if len(key) == 1 and not key.isalnum() else key for key in map(key_of, names))


def keys_of(name: str, taken: Collection[str] = ()) -> str:
    """Return every readable key of an action that is not `taken`; empty if all are.

    Raises `KeyError` if there is no such action.
    """
    free = [key for key in _keys(name) if key not in taken]
    return as_read(",".join(free)) if free else ""


def keys_taken(*places: Place) -> frozenset[str]:
    """Return the keys of these places, in Textual's names; places farther away do not receive them."""
    return frozenset(key for place in places for action in ACTIONS[place] for key in _keys(f"{place}.{action.id}"))


def key_while_typing(name: str) -> str:
    """Return the last readable key of an action that types no character; any key if the user left it none."""
    keys = _own.get(name, BOUND[name])
    return as_read((non_printing(keys) or keys.split(","))[-1])


def with_keys(sentence: str) -> str:
    """Replace each `{place.action}` in a sentence of the table by its key."""
    return _NAMED.sub(lambda found: key_of(found[1]), sentence)


def footer_actions(
    *places: Place, unavailable: Collection[str] = (), labels: Mapping[str, str] = MappingProxyType({})
) -> tuple[Action, ...]:
    """Return the footer's actions with their current keys: those of these places, nearest first, then global ones.

    Left out are actions that are `unavailable` now, by place and id, and those whose key a nearer place takes.
    `labels` replace the table's for now, by place and id.

    While text is typed, letters only type: the field's own keys are shown, and of the global ones those that are not
    letters. While something waits for an answer, only its own keys and the global ones are shown.

    The way out of the nearest place is the last before the global ones.
    """
    nearest = PLACES[places[0] if places else "everywhere"]
    typed = nearest.typed
    taken: set[str] = set()
    own: list[Action] = []
    for place in places[:1] if typed or nearest.confirms else places:
        here = [action for action in ACTIONS[place] if f"{place}.{action.id}" not in unavailable]
        own += [
            replace(
                action,
                keys=",".join(_keys(f"{place}.{action.id}")),
                shown=key_of(f"{place}.{action.id}"),
                label=labels.get(f"{place}.{action.id}", action.label),
            )
            for action in here
            if action.footer and _keys(f"{place}.{action.id}")[0] not in taken
        ]
        taken.update(key for action in here for key in _keys(f"{place}.{action.id}"))
    everywhere = [
        replace(
            action,
            keys=",".join((typed and non_printing(keys)) or keys.split(",")),
            shown=(key_while_typing if typed else key_of)(f"everywhere.{action.id}"),
        )
        for action in ACTIONS["everywhere"]
        for keys in [",".join(_keys(f"everywhere.{action.id}"))]
        if action.footer and (typed or keys.partition(",")[0] not in taken)
    ]
    out = [action for action in own if action.leaves][:1]
    return (
        *[action for action in own if not action.leaves][: FOOTER_KEYS - len(everywhere) - len(out)],
        *out,
        *everywhere,
    )


def _keys(name: str) -> list[str]:
    return _own.get(name, BOUND[name]).split(",")
