"""A selection of examples as a WHERE clause over the table `examples e`. Knows nothing of what is done with them."""

import json

from engine.records.selection import Selection
from engine.store.search import match_query
from engine.store.values import Value


def conditions(selection: Selection) -> tuple[str, tuple[Value, ...]]:
    """Return the clause, with a leading space, and its values; the clause is empty if everything is selected.

    `contains` is left to the caller, because SQLite only folds the case of ASCII letters.
    """
    found: list[str] = []
    values: list[Value] = []

    def add(condition: str, *given: Value) -> None:
        found.append(condition)
        values.extend(given)

    if selection.prompt_sha256 is not None:
        add("e.prompt_sha256 = ?", selection.prompt_sha256)
    if selection.state is not None:
        add("e.state = ?", selection.state)
    if selection.flagged is not None:
        add(f"e.flag_id IS {'NOT ' if selection.flagged else ''}NULL")
    if selection.topic is not None:
        add("e.question_id IN (SELECT id FROM questions WHERE topic = ?)", selection.topic)
    if selection.failing_rule is not None:
        add("e.id IN (SELECT example_id FROM broken_rules WHERE rule_id = ?)", selection.failing_rule)
    if query := match_query(selection.search):
        # One list of example ids: with an OR of two lists, SQLite would scan every row of the prompt.
        add(
            """e.id IN (SELECT rowid FROM examples_fts WHERE examples_fts MATCH ? UNION ALL
            SELECT a.id FROM questions_fts q JOIN examples a ON a.question_id = q.rowid WHERE questions_fts MATCH ?)""",
            query,
            query,
        )
    if picked := _picked(selection):
        add(*picked)
    if selection.without:
        add("e.id NOT IN (SELECT value FROM json_each(?))", json.dumps(selection.without))
    return (" WHERE " + " AND ".join(found) if found else ""), tuple(values)


def _picked(selection: Selection) -> tuple[str, *tuple[Value, ...]] | None:
    parts = ["e.id BETWEEN ? AND ?"] * len(selection.spans)
    values: list[Value] = [end for span in selection.spans for end in span]
    if selection.ids:
        parts.append("e.id IN (SELECT value FROM json_each(?))")
        values.append(json.dumps(selection.ids))
    return (f"({' OR '.join(parts)})", *values) if parts else None
