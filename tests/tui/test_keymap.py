"""A person's own keys against the table of actions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.actions import ACTIONS, PANE_KEYS
from tui.keymap import normalised, over_others, own_keys

IDS = [f"{place}.{action.id}" for place, actions in ACTIONS.items() for action in actions]


def test_keys_are_kept_under_textuals_names() -> None:
    kept, errors = own_keys({"everywhere.help": "?,f8", "workspace.pause": " f9 ", "workspace.cost": "$"})
    assert not errors
    assert kept == {
        "everywhere.help": "question_mark,f8",
        "workspace.pause": "f9",
        "workspace.cost": "dollar_sign",
    }


def test_two_actions_can_change_their_keys() -> None:
    swapped = {"curate.accept": "x", "curate.reject": "a"}
    assert own_keys(swapped) == (swapped, ())


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"workspace.pauze": "P"}, "keys: workspace.pauze. Did you mean workspace.pause?"),
        ({"nonsense": "P"}, "keys: nonsense. A name is a place, a dot and an action, such as"),
        ({"workspace.pause": "crtl+x"}, "keys: workspace.pause = crtl+x."),
        ({"workspace.pause": "ctrl+nokey"}, "keys: workspace.pause = ctrl+nokey."),
        ({"workspace.pause": " , "}, "keys: workspace.pause = nothing."),
        ({"everywhere.jump": "q"}, "keys: q is used for both everywhere.jump and everywhere.quit."),
        ({"workspace.pause": "5"}, "keys: 5 is used for both workspace.pause and workspace.run."),
        ({"run.first": "o"}, "keys: o is used for both run.first and workspace.projects."),
        ({"answers.next_answer": "e"}, "keys: e is used for both answers.next_answer and evaluation.evaluate."),
        ({"curate.accept": "q"}, "keys: q is used for both curate.accept and everywhere.quit."),
    ],
)
def test_an_entry_that_cannot_hold_is_named_and_left_out(wanted: dict[str, str], said: str) -> None:
    kept, errors = own_keys(wanted)
    assert kept == {}
    assert next(f"{error.message} {error.next}" for error in errors).startswith(said)


def test_of_two_entries_that_clash_the_first_holds() -> None:
    kept, errors = own_keys({"workspace.pause": "f9", "workspace.stop": "f9"})
    assert kept == {"workspace.pause": "f9"}
    assert len(errors) == 1


def test_what_lies_nearer_by_the_table_itself_takes_the_key_there() -> None:
    for keys in ("q,ctrl+q", "q,ctrl+x", "q,f9"):
        assert own_keys({"everywhere.quit": keys}) == ({"everywhere.quit": keys}, ())


def test_what_was_given_letters_alone_keeps_a_key_for_where_text_is_typed() -> None:
    assert own_keys({"everywhere.quit": "X", "everywhere.help": "!"})[0] == {
        "everywhere.quit": "X,ctrl+q", "everywhere.help": "exclamation_mark,f1",
    }  # fmt: skip
    taken = {"everywhere.quit": "X", "form.submit": "ctrl+q", "workspace.pause": "f9"}
    assert own_keys(taken) == (taken, ())


def test_over_another_screen_a_letter_of_ones_own_is_only_what_it_types() -> None:
    own = {"everywhere.quit": "x,f9,exclamation_mark", "everywhere.help": "question_mark,H,f8", "form.leave": "x"}
    assert over_others(own) == {"over.quit": "f9", "over.help": "question_mark,f8"}


def test_places_that_never_meet_may_share_a_key() -> None:
    shared = {"curate.accept": "f9", "workspace.pause": "f9"}
    assert own_keys(shared) == (shared, ())


@given(st.dictionaries(st.sampled_from(IDS), st.sampled_from(["f9", "x", "p", "f8", "?", "1", "a"]), max_size=6))
def test_whatever_is_wanted_no_action_is_without_a_key_of_its_own(wanted: dict[str, str]) -> None:
    kept, errors = own_keys(wanted)
    assert len(kept) + len(errors) == len(wanted)
    for place, actions in ACTIONS.items():
        table = {f"{place}.{action.id}": action.keys for action in actions}
        if place == "workspace":
            table |= {f"workspace.{pane}": key for pane, key in PANE_KEYS.items()}
        mine = {name: keys for name, keys in kept.items() if name in table}
        for name in mine:
            others = {key for other, keys in {**table, **mine}.items() if other != name for key in keys.split(",")}
            assert not others & set(mine[name].split(","))


@given(st.sampled_from(["?", "/", "<", "a", "G", "é", "$"]))
def test_a_key_that_is_normalised_stays_as_it_is(key: str) -> None:
    assert normalised(normalised(key)) == normalised(key)
