"""The prompt's rules, numbered from 1."""

import hashlib
import sqlite3
from collections.abc import Sequence
from dataclasses import replace

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
        """Append `rules` with the next free numbers, ignoring their `id`; returns the numbered rules."""
        with self._connection.transaction():
            first = self._connection.number("SELECT max(id) FROM rules") + 1
            return self._insert([replace(rule, id=number) for number, rule in enumerate(rules, start=first)])

    def add_new(self, rules: Sequence[Rule]) -> tuple[Rule, ...]:
        """Append those of `rules` that do not exist yet; returns them, numbered."""
        with self._connection.transaction():
            there = {(rule.text, rule.check) for rule in self.all()}
            wanted = {(rule.text, rule.check): rule for rule in rules}
            return self.add([rule for what, rule in wanted.items() if what not in there])

    def replace_all(self, rules: Sequence[Rule]) -> tuple[Rule, ...]:
        """Replace all rules with `rules`, numbered from 1."""
        with self._connection.transaction():
            self._connection.write("DELETE FROM rules")
            return self.add(rules)

    def put(self, rules: Sequence[Rule]) -> tuple[Rule, ...]:
        """Replace all rules with `rules`, keeping their numbers. Used to change a rule and to undo that."""
        with self._connection.transaction():
            self._connection.write("DELETE FROM rules")
            return self._insert(rules)

    def remove(self, id: int) -> None:
        """Remove one rule; the others keep their numbers. Raises `NotFoundError`."""
        if self._connection.write("DELETE FROM rules WHERE id = ?", (id,)) == 0:
            raise NotFoundError(f"There is no rule {id}.", "", "See `distill-tui rules list`.")

    def _insert(self, rules: Sequence[Rule]) -> tuple[Rule, ...]:
        self._connection.write_many(
            "INSERT INTO rules (id, text, check_json) VALUES (?, ?, ?)",
            [(rule.id, rule.text, encode(rule.check)) for rule in rules],
        )
        return tuple(rules)

    def sha256(self) -> str:
        """Return a hash of all rules with their numbers, which changes when any rule does."""
        return hashlib.sha256(encode_all(self.all()).encode("utf-8", "surrogatepass")).hexdigest()


def _rule(row: sqlite3.Row) -> Rule:
    return Rule(row["id"], row["text"], decode(Check, row["check_json"]))
