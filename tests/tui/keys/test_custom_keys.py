"""Custom keys from the settings, checked against the action table."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.actions import ACTIONS, PANE_KEYS
from tui.keymap import normalised, over_others, own_keys

IDS = [f"{place}.{action.id}" for place, actions in ACTIONS.items() for action in actions]


def test_keys_are_normalised_to_textual_names() -> None:
    kept, errors = own_keys({"everywhere.help": "?,f8", "workspace.pause": " f9 ", "workspace.cost": "$"})
    assert not errors
    assert kept == {
        "everywhere.help": "question_mark,f8",
        "workspace.pause": "f9",
        "workspace.cost": "dollar_sign",
    }


def test_two_actions_can_swap_their_keys() -> None:
    swapped = {"curate.accept": "x", "curate.reject": "a"}
    assert own_keys(swapped) == (swapped, ())


@pytest.mark.parametrize(
    ("wanted", "expected"),
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
        ({"rules.add": "v"}, "keys: v is used for both rules.add and prompt.versions."),
        ({"trial.end": "v"}, "keys: v is used for both trial.end and prompt.versions."),
        ({"findings.again": "v"}, "keys: v is used for both findings.again and prompt.versions."),
        ({"curate.accept": "q"}, "keys: q is used for both curate.accept and everywhere.quit."),
    ],
)
def test_invalid_entry_is_reported_and_ignored(wanted: dict[str, str], expected: str) -> None:
    kept, errors = own_keys(wanted)
    assert kept == {}
    assert next(f"{error.message} {error.next}" for error in errors).startswith(expected)


def test_first_of_two_clashing_entries_wins() -> None:
    kept, errors = own_keys({"workspace.pause": "f9", "workspace.stop": "f9"})
    assert kept == {"workspace.pause": "f9"}
    assert len(errors) == 1


def test_global_action_may_keep_a_key_that_a_nearer_default_takes() -> None:
    for keys in ("q,ctrl+q", "q,ctrl+x", "q,f9"):
        assert own_keys({"everywhere.quit": keys}) == ({"everywhere.quit": keys}, ())


def test_letter_only_entries_keep_a_default_key_that_works_in_text_fields() -> None:
    assert own_keys({"everywhere.quit": "X", "everywhere.help": "!"})[0] == {
        "everywhere.quit": "X,ctrl+q", "everywhere.help": "exclamation_mark,f1",
    }  # fmt: skip
    explicit = {"everywhere.quit": "X", "form.submit": "ctrl+q", "workspace.pause": "f9"}
    assert own_keys(explicit) == (explicit, ())


def test_custom_letter_keys_are_left_out_on_modal_screens() -> None:
    custom = {"everywhere.quit": "x,f9,exclamation_mark", "everywhere.help": "question_mark,H,f8", "form.leave": "x"}
    assert over_others(custom) == {"over.quit": "f9", "over.help": "question_mark,f8"}


@pytest.mark.parametrize(
    "shared",
    [
        {"curate.accept": "f9", "workspace.pause": "f9"},
        {"jobs.log": "B"},  # the list of jobs covers the workspace and its key for an update
        {"preview.take": "s"},  # a preview waits for a yes or no: the list's own keys do nothing
    ],
)
def test_places_that_are_never_active_together_may_share_a_key(shared: dict[str, str]) -> None:
    assert own_keys(shared) == (shared, ())


@given(st.dictionaries(st.sampled_from(IDS), st.sampled_from(["f9", "x", "p", "f8", "?", "1", "a"]), max_size=6))
def test_accepted_custom_keys_never_clash_within_a_place(wanted: dict[str, str]) -> None:
    kept, errors = own_keys(wanted)
    assert len(kept) + len(errors) == len(wanted)
    for place, actions in ACTIONS.items():
        table = {f"{place}.{action.id}": action.keys for action in actions}
        if place == "workspace":
            table |= {f"workspace.{pane}": key for pane, key in PANE_KEYS.items()}
        custom = {name: keys for name, keys in kept.items() if name in table}
        for name in custom:
            others = {key for other, keys in {**table, **custom}.items() if other != name for key in keys.split(",")}
            assert not others & set(custom[name].split(","))


@given(st.sampled_from(["?", "/", "<", "a", "G", "é", "$"]))
def test_normalising_a_key_is_idempotent(key: str) -> None:
    assert normalised(normalised(key)) == normalised(key)
