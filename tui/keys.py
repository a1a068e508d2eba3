"""What a key is called wherever words tell it: a person's own key where the action has one, else that of the table.

One person sits at the terminal that this process draws, so whose keys hold is said once, by the app, before anything
is drawn. Knows no page.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import replace

from tui.actions import ACTIONS, BOUND, FOOTER_KEYS, PANE_KEYS, TYPED, Action, Place, as_read, typeless

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


def keys_of(name: str) -> str:
    """Every key of an action, as people read them. Raises `KeyError` where there is no such action."""
    return as_read(_own.get(name, BOUND[name]))


def key_while_typing(name: str) -> str:
    """The last key of an action that types nothing, as people read it; any where a person left it none."""
    keys = _own.get(name, BOUND[name])
    return as_read((typeless(keys) or keys.split(","))[-1])


def told(sentence: str) -> str:
    """A sentence of the table, with each `{place.action}` in it told as its key."""
    return _NAMED.sub(lambda found: key_of(found[1]), sentence)


def footer_actions(*places: Place, vain: Collection[str] = ()) -> tuple[Action, ...]:
    """What the footer shows, each with the key that holds: the actions of these places, the nearest first, then those
    that hold everywhere. What is `vain` now, by place and id, is left out.

    Where text is typed, a letter is a letter: there only the field's own keys hold, and of what holds everywhere those
    that are no letters.
    """
    typed = bool(places) and places[0] in TYPED
    everywhere = [
        replace(action, shown=(key_while_typing if typed else key_of)(f"everywhere.{action.id}"))
        for action in ACTIONS["everywhere"]
        if action.footer
    ]
    own = [
        replace(action, shown=key_of(f"{place}.{action.id}"))
        for place in (places[:1] if typed else places)
        for action in ACTIONS[place]
        if action.footer and f"{place}.{action.id}" not in vain
    ]
    return (*own[: FOOTER_KEYS - len(everywhere)], *everywhere)
