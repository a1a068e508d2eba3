"""Model names: exactly one for each choice of arm."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.serving.names import PROMPTED, UNPROMPTED, ArmChoice, parse_arm

runs = st.builds(ArmChoice, st.integers(1, 999_999_999), st.integers(0, 100), st.booleans())


@given(runs | st.sampled_from([UNPROMPTED, PROMPTED]))
def test_name_of_a_choice_parses_back_to_it(choice: ArmChoice) -> None:
    assert parse_arm(choice.name) == choice


@given(st.from_regex(r"(un)?prompted|run-[0-9]{1,3}(@(100|[0-9]{1,2}))?(\+prompt)?", fullmatch=True))
def test_accepted_name_is_a_name_of_the_parsed_choice(name: str) -> None:
    choice = parse_arm(name)
    if choice is not None:
        assert parse_arm(choice.name) == choice
        assert name in (choice.name, choice.name.replace(f"run-{choice.run_id}", f"run-{choice.run_id}@100"))


@pytest.mark.parametrize(
    "name",
    [
        "",
        "run-0",
        "run-01",
        "run-1@101",
        "run-1@060",
        "run-1@",
        "run-1+Prompt",
        "run-1@60%",
        "prompted@60",
        "run-1\n",
        "run-①",
    ],
)
def test_invalid_name_is_not_parsed(name: str) -> None:
    assert parse_arm(name) is None


def test_full_strength_is_left_out_of_the_name() -> None:
    assert [ArmChoice(3).name, ArmChoice(3, 60).name, ArmChoice(3, 0, True).name] == [
        "run-3",
        "run-3@60",
        "run-3@0+prompt",
    ]
