"""What a key is called wherever words tell it: a person's own key where the action has one, else that of the table.

One person sits at the terminal that this process draws, so whose keys hold is said once, by the app, before anything
is drawn. Knows no page.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from types import MappingProxyType

from tui.actions import ACTIONS, BOUND, FOOTER_KEYS, PANE_KEYS, TYPED, WAITING, Action, Place, as_read, typeless

_SHOWN = {f"{place}.{action.id}": action.shown for place, actions in ACTIONS.items() for action in actions} | {
    f"workspace.{pane}": key for pane, key in PANE_KEYS.items()
}
_NAMED = re.compile(r"\{([a-z_.]+)\}")
_own: dict[str, str] = {}


def hold(own: Mapping[str, str]) -> None:
    """From now on these are the person's own keys: place and action, and the keys in Textual's names, by comma."""
    _own.clear()
    _own.update(own)


def key_of(*names: str) -> str:
    """The key of an action, or of several one after the other, as people read it: `key_of("run.train")` is `t`.

    Raises `KeyError` where there is no such action.
    """
    return " ".join(as_read(_own[name].partition(",")[0]) if name in _own else _SHOWN[name] for name in names)


def keys_of(name: str, taken: Collection[str] = ()) -> str:
    """Every key of an action that is not `taken`, as people read them; all of them where all are.

    Raises `KeyError` where there is no such action.
    """
    keys = _keys(name)
    return as_read(",".join([key for key in keys if key not in taken] or keys))


def keys_taken(*places: Place) -> frozenset[str]:
    """The keys of these places, as Textual names them: whatever lies farther away does not get them."""
    return frozenset(key for place in places for action in ACTIONS[place] for key in _keys(f"{place}.{action.id}"))


def key_while_typing(name: str) -> str:
    """The last key of an action that types nothing, as people read it; any where a person left it none."""
    keys = _own.get(name, BOUND[name])
    return as_read((typeless(keys) or keys.split(","))[-1])


def told(sentence: str) -> str:
    """A sentence of the table, with each `{place.action}` in it told as its key."""
    return _NAMED.sub(lambda found: key_of(found[1]), sentence)


def footer_actions(
    *places: Place, vain: Collection[str] = (), labels: Mapping[str, str] = MappingProxyType({})
) -> tuple[Action, ...]:
    """What the footer shows, each with the key that holds: the actions of these places, the nearest first, then those
    that hold everywhere. What is `vain` now, by place and id, is left out, and so is what would be told by a key that
    a nearer place takes. `labels`: what actions, by place and id, do now, where the table's word says another.

    Where text is typed, a letter is a letter: there only the field's own keys hold, and of what holds everywhere those
    that are no letters. Where something waits for an answer, nothing else is told.
    """
    typed = bool(places) and places[0] in TYPED
    alone = typed or (bool(places) and places[0] in WAITING)
    taken: set[str] = set()
    own: list[Action] = []
    for place in places[:1] if alone else places:
        here = [action for action in ACTIONS[place] if f"{place}.{action.id}" not in vain]
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
            keys=",".join((typed and typeless(keys)) or keys.split(",")),
            shown=(key_while_typing if typed else key_of)(f"everywhere.{action.id}"),
        )
        for action in ACTIONS["everywhere"]
        for keys in [",".join(_keys(f"everywhere.{action.id}"))]
        if action.footer and (typed or keys.partition(",")[0] not in taken)
    ]
    return (*own[: FOOTER_KEYS - len(everywhere)], *everywhere)


def _keys(name: str) -> list[str]:
    return _own.get(name, BOUND[name]).split(",")
