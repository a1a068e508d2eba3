"""The words of the fault kinds: each has an entry in the one table, and failures are counted by name."""

from typing import get_args

from engine.teachers.fault_kinds import FAULTS, FaultKind, counted_faults


def test_every_kind_has_an_entry() -> None:
    assert set(FAULTS) == set(get_args(FaultKind))


def test_failures_are_counted_by_name_the_most_frequent_first() -> None:
    assert counted_faults({"html": 1, "server": 12}) == "12 server errors, 1 web page"
    assert counted_faults({"key": 3}) == "rejected keys"
    assert counted_faults({"of_a_later_program": 2, "key": 1}) == "2 of_a_later_programs, 1 rejected key"
