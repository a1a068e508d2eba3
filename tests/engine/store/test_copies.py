"""Every table says with what it is copied."""

from engine.project import Project
from engine.store.copies import COPIED_WITH, KEPT, NEVER_COPIED


def test_every_table_of_the_schema_has_its_place(project: Project) -> None:
    found = project._connection.rows(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '%\\_fts%' ESCAPE '\\' "
        "AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE '\\_%' ESCAPE '\\'"
    )
    placed = [*NEVER_COPIED, *(table for kept in KEPT for table in COPIED_WITH[kept])]
    assert sorted(row[0] for row in found) == sorted(placed)
