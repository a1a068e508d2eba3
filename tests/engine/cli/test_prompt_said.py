"""`prompt`: what it says about placeholders, and about the version that is shown."""

from pathlib import Path

from tests.engine.cli.calling import get, succeed


def test_placeholders_that_nothing_fills_in_are_named(new_project: Path) -> None:
    said = succeed("prompt", "set", "-", input="Today is {{date}}. The user is {{ user }}; it is {{date}}.").err
    assert "The prompt contains {{date}}, {{ user }}, which nothing fills in" in said
    assert "{{date}}" not in succeed("prompt", "set", "-", input="Be brief.").err


def test_show_tells_the_version_and_whose_tokens_are_counted(new_project: Path) -> None:
    get("prompt", "set", "-", "--note", "shorter", input="Be brief.")
    shown = get("prompt", "show")
    assert (shown["version"], shown["note"]) == (2, "shorter")
    assert shown["created_at"] > get("prompt", "show", "--version", "1")["created_at"] > "2020"
    assert [count["of"] for count in shown["tokens"]] == ["student"]
