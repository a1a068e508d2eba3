"""The prompt's rules, numbered from 1. A number is never given to another rule: results refer to it."""

import hashlib
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import count

from engine.errors import NotFoundError
from engine.records.rule import Check, Rule
from engine.store.connection import Connection
from engine.store.dataclass_json import decode, encode, encode_all


class RuleTable:
    """The rules of one project."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def all(self) -> tuple[Rule, ...]:
        """Return all rules, by number."""
        return tuple(map(_rule, self._connection.rows("SELECT * FROM rules ORDER BY id")))

    def add(self, rules: Sequence[Rule]) -> tuple[Rule, ...]:
        """Append `rules` with new numbers, ignoring their `id`; returns the numbered rules."""
        with self._connection.transaction():
            return self._insert([replace(rule, id=number) for number, rule in zip(self._unused(), rules, strict=False)])

    def add_new(self, rules: Sequence[Rule]) -> tuple[Rule, ...]:
        """Append those of `rules` that do not exist yet; returns them, numbered."""
        with self._connection.transaction():
            there = {(rule.text, rule.check) for rule in self.all()}
            wanted = {(rule.text, rule.check): rule for rule in rules}
            return self.add([rule for what, rule in wanted.items() if what not in there])

    def replace_all(self, rules: Sequence[Rule]) -> tuple[Rule, ...]:
        """Replace all rules with `rules`, ignoring their `id`; returns them by number.

        A rule whose check or text exists already keeps its number, because results and evaluations refer to it. The
        others get new numbers. A rule that is repeated in `rules` is stored once.
        """
        with self._connection.transaction():
            wanted = list({(rule.text, rule.check): rule for rule in rules}.values())
            numbers, unused = _kept_numbers(self.all(), wanted), self._unused()
            numbered = [replace(rule, id=numbers.get(at) or next(unused)) for at, rule in enumerate(wanted)]
            return self.put(sorted(numbered, key=lambda rule: rule.id))

    def put(self, rules: Sequence[Rule]) -> tuple[Rule, ...]:
        """Replace all rules with `rules`, keeping their numbers. Used to change a rule and to undo that."""
        with self._connection.transaction():
            self._connection.write("DELETE FROM rules")
            return self._insert(rules)

    def remove(self, id: int) -> None:
        """Remove one rule; the others keep their numbers. Raises `NotFoundError`."""
        if self._connection.write("DELETE FROM rules WHERE id = ?", (id,)) == 0:
            raise NotFoundError(f"There is no rule {id}.", "", "See `distill-tui rules list`.")

    def _unused(self) -> Iterator[int]:
        """Return numbers that no rule has or had."""
        return count(self._connection.number("SELECT max(seq) FROM sqlite_sequence WHERE name = 'rules'") + 1)

    def _insert(self, rules: Sequence[Rule]) -> tuple[Rule, ...]:
        self._connection.write_many(
            "INSERT INTO rules (id, text, check_json) VALUES (?, ?, ?)",
            [(rule.id, rule.text, encode(rule.check)) for rule in rules],
        )
        return tuple(rules)

    def sha256(self) -> str:
        """Return a hash of all rules with their numbers, which changes when any rule does."""
        return hashlib.sha256(encode_all(self.all()).encode("utf-8", "surrogatepass")).hexdigest()


def _kept_numbers(before: Sequence[Rule], after: Sequence[Rule]) -> dict[int, int]:
    """Return the numbers of the rules that are still there, by their places in `after`."""
    alike: tuple[Callable[[Rule], object], ...] = (
        lambda rule: (rule.check, rule.text),
        lambda rule: rule.check,
        lambda rule: rule.text,
    )
    left, found = list(before), dict[int, int]()
    for key in alike:
        for at, rule in enumerate(after):
            match = next((old for old in left if at not in found and key(old) == key(rule)), None)
            if match is not None:
                found[at] = match.id
                left.remove(match)
    return found


def _rule(row: sqlite3.Row) -> Rule:
    return Rule(row["id"], row["text"], decode(Check, row["check_json"]))
