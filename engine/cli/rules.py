"""`distill-tui rules`: the checkable demands of the prompt."""

import dataclasses
from collections.abc import Sequence

import click

from engine.cli.invocation import CommandGroup, Invocation, command_options, name_of, read_text_argument
from engine.cli.target import place_of, target_options, write_lines
from engine.records.proposal import Proposal
from engine.records.rule import Check, Rule
from engine.rules.described import check_text
from engine.wording import counted, numbered, shortened

_CHECK_CELLS = 80
_IMPORT = "Import some: distill-tui rules import FILE"


@click.group("rules", cls=CommandGroup)
def command() -> None:
    """List, propose, add, import, export, remove and test the prompt's rules."""


@command.command("list")
@command_options
def list_(invocation: Invocation) -> None:
    """List the rules with their checks."""
    _show(invocation, invocation.project.rules.all())


@command.command("add")
@click.argument("text")
@click.argument("check", nargs=-1, required=True, metavar="CHECK...")
@command_options
def add(invocation: Invocation, text: str, check: tuple[str, ...]) -> None:
    """Add a rule: its TEXT, followed by its check as FIELD=VALUE arguments.

    \b
    distill-tui rules add "Starts with a score" kind=pattern pattern='^SCORE: [1-9]'
    distill-tui rules add "At most 40 words" kind=length unit=words max=40
    distill-tui rules add "Promises nothing" kind=forbidden texts='[guaranteed, for sure]'
    distill-tui rules add "Closes with a label" kind=label labels='[open, closed]'
    distill-tui rules add "Comforts whoever is upset" kind=rubric
    """
    import yaml

    from engine.errors import UsageError
    from engine.rules.documents import parse_rules

    fields: dict[str, object] = {}
    for word in check:
        name, equals, value = word.partition("=")
        if not equals:
            raise UsageError(
                "The check was not understood.", f"{word!r} is not FIELD=VALUE.", "Write kind=contains text=…"
            )
        # Numbers, lists and booleans are read as YAML; patterns and texts are taken literally.
        try:
            fields[name] = value if name in ("pattern", "text", "code", "kind", "schema") else yaml.safe_load(value)
        except (yaml.YAMLError, ValueError, RecursionError):
            raise UsageError(
                "The check was not understood.",
                f"{word!r} is not valid YAML after the =.",
                "Write texts='[one, two]' or max=40",
            ) from None
    document = yaml.safe_dump({"rules": [{"text": text, "check": fields}]}, allow_unicode=True)
    _show(invocation, invocation.project.rules.add(parse_rules(document, "the command line")))


@command.command("import")
@click.argument("source", metavar="FILE|-")
@click.option(
    "--replace",
    is_flag=True,
    help="Replace all existing rules instead of adding to them. A rule whose text or check exists keeps its number.",
)
@command_options
def import_(invocation: Invocation, source: str, replace: bool) -> None:
    """Import rules from a YAML file. Rules that exist already are not added again.

    \b
    rules:
      - text: Begins with the risk score.
        check: {kind: pattern, pattern: '^RISK SCORE: [1-5]'}
      - text: At most 40 words.
        check: {kind: length, unit: words, max: 40}

    Other kinds: starts_with, ends_with, contains and rubric (text), forbidden (texts), json (schema), language (code),
    label (labels).
    """
    from engine.rules.documents import parse_rules

    rules = parse_rules(read_text_argument(source), name_of(source))
    table = invocation.project.rules
    if replace:
        _show(invocation, table.replace_all(rules))
        return
    wanted = {(rule.text, rule.check) for rule in rules}
    if repeated := len(wanted) - len(table.add_new(rules)):
        invocation.say(f"{repeated} of {counted(len(wanted), 'rule')} existed already.")
    _show(invocation, [rule for rule in table.all() if (rule.text, rule.check) in wanted])


@command.command("export")
@target_options
@command_options
def export(invocation: Invocation, target: str, *, force: bool) -> None:
    """Write the rules as YAML, which `rules import` reads back.

    To change rules in a script, edit the file and import it with --replace: rules whose text or check is unchanged keep
    their numbers.
    """
    from engine.errors import NotFoundError
    from engine.rules.documents import rules_to_yaml

    path = place_of(invocation, target, force=force)
    rules = invocation.project.rules.all()
    if not rules:
        raise NotFoundError("There is nothing to export.", "The project has no rules.", _IMPORT)
    write_lines(path, [rules_to_yaml(rules, ascii_only=path is None)])
    if path is not None:
        invocation.finish(f"Wrote {counted(len(rules), 'rule')}: {path}", {"path": str(path), "rules": len(rules)})


@command.command("propose")
@click.argument("numbers", nargs=-1, type=click.IntRange(1), metavar="[NUMBER]...")
@click.option("--add", "to_add", is_flag=True, help="Add the proposals with these NUMBERs, or all that have a check.")
@click.option(
    "--teacher", "ask_teacher", is_flag=True, help="Also ask the project's endpoint, which may charge for it."
)
@command_options
def propose(invocation: Invocation, numbers: tuple[int, ...], *, to_add: bool, ask_teacher: bool) -> None:
    """Propose rules from the prompt's own sentences and lists, which you confirm with --add.

    Each proposal is shown with its line in `distill-tui prompt show` and a check, or as a rubric if no check can
    measure it. A rubric is added only by its NUMBER; a judge decides on it in `distill-tui evaluate`. The proposals of
    an endpoint (--teacher) differ from call to call, so look at them before you add them.
    """
    from engine.errors import NotFoundError
    from engine.prompts.foreign import unread_language
    from engine.prompts.proposals import mark_existing_rules, propose_rules, rules_of

    project = invocation.project
    prompt, rules = project.prompts.require(), project.rules.all()
    found = propose_rules(prompt, rules)
    language = "" if ask_teacher else unread_language(prompt)
    if ask_teacher:
        from engine.cli.prompt import endpoint_reviewer, say_left_out
        from engine.prompts.teacher_review import review_rules

        review = review_rules(prompt, rules, endpoint_reviewer(invocation))
        say_left_out(invocation, review.left_out)
        found = mark_existing_rules((*found, *review.proposals), rules)
    if any(number > len(found) for number in numbers):
        raise NotFoundError(
            "There is no such proposal.", f"There are {len(found)}.", "List them: distill-tui rules propose"
        )
    added: tuple[Rule, ...] = ()
    if to_add:
        wanted = [found[n - 1] for n in numbers] if numbers else [each for each in found if each.check is not None]
        added = project.rules.add(rules_of(wanted))
    shown = [(number, proposal) for number, proposal in enumerate(found, 1) if not numbers or number in numbers]
    invocation.finish(
        proposals_text(shown, added, language, to_add=to_add),
        {
            "unread_language": language,
            "proposals": [{"number": number, **dataclasses.asdict(proposal)} for number, proposal in shown],
            "added": [rule.id for rule in added],
        },
    )


def proposals_text(
    shown: Sequence[tuple[int, Proposal]], added: Sequence[Rule], unread_language: str, *, to_add: bool
) -> str:
    """Return the proposals with their lines and checks, and which of them were added.

    `unread_language`: the prompt's language, if demands in it are not read.
    """
    lines: list[str] = []
    if unread_language:
        lines += [
            f"The prompt seems to be in {unread_language}; rules are proposed only from English sentences.",
            "Add your own with `distill-tui rules add`, or ask a teacher: --teacher",
            "",
        ]
    if not shown:
        advice = "" if lines else " Write them as English sentences or lists, or ask a teacher: --teacher"
        return "\n".join([*lines, f"No demands were found.{advice}"])
    for number, proposal in shown:
        check = f"[{_check(proposal.check)}]" if proposal.check else "[rubric: no check measures it]"
        known = f"  already rule {proposal.rule}" if proposal.rule else ""
        source = "  (from the teacher)" if proposal.source == "teacher" else ""
        lines.append(f"{number:>3}  line {proposal.line:<4} {proposal.text}  {check}{known}{source}")
    if to_add:
        what = f"Added {numbered('rule', [rule.id for rule in added])}." if added else "Nothing was added."
        return "\n".join([*lines, "", what])
    return "\n".join(
        [*lines, "", "Add all that have a check, or the NUMBERs you name: distill-tui rules propose --add"]
    )


@command.command("remove")
@click.argument("number", type=int)
@command_options
def remove(invocation: Invocation, number: int) -> None:
    """Remove rule NUMBER."""
    invocation.project.rules.remove(number)
    invocation.finish(f"Removed rule {number}.", {"removed": number})


@command.command("test")
@click.argument("answer", required=False, metavar="[ANSWER|-]")
@click.option("--label", default=None, help="Gold label of the question, for label rules.")
@command_options
def test(invocation: Invocation, answer: str | None, label: str | None) -> None:
    """Check ANSWER, or standard input, against every rule except rubrics, which need a judge.

    Fails if the answer breaks a rule.
    """
    from engine.errors import DistillError, UsageError
    from engine.records.prompt import Message
    from engine.records.question import Question
    from engine.rules.checks import check_answer

    text = read_text_argument("-").rstrip("\r\n") if answer in (None, "-") else answer
    rules = invocation.project.rules.all()
    results = check_answer(rules, text, Question((Message("user", ""),), label=label))
    by_id = {rule.id: rule for rule in rules}
    if not results:
        if not rules:
            raise UsageError("There are no rules to test.", "The project has none.", _IMPORT)
        why, judge = "All of them are rubrics, which need a judge.", "Evaluate with one: distill-tui evaluate"
        raise UsageError("There are no rules to test.", why, judge)
    broken = [r.rule_id for r in results if not r.passed]
    shown = "\n".join(
        f"{r.rule_id} {'✓' if r.passed else '✗'} {by_id[r.rule_id].text}" + (f"  ({r.note})" if r.note else "")
        for r in results
    )
    rubrics = [rule.id for rule in rules if rule.needs_judge]
    if rubrics:
        shown += f"\nNot tested, because only a judge can: {numbered('rule', rubrics)}."
    data: dict[str, object] = {
        "passed": not broken,
        "unjudged": rubrics,
        "rules": [{"id": r.rule_id, "passed": r.passed, "note": r.note} for r in results],
    }
    if broken:
        error = DistillError(f"The answer breaks {numbered('rule', broken)}.", "", "Change the answer or the rule.")
        invocation.finish_failed(shown, data, error)
    invocation.finish(shown, data)


def _check(check: Check) -> str:
    """Return a check in words, in at most a line: --json has the whole."""
    return shortened(check_text(check, most=None), _CHECK_CELLS)


def _show(invocation: Invocation, rules: Sequence[Rule]) -> None:
    rows = [{"id": rule.id, "text": rule.text, "check": dataclasses.asdict(rule.check)} for rule in rules]
    invocation.finish(
        "\n".join(f"{rule.id:>3}  {rule.text}  [{_check(rule.check)}]" for rule in rules) or f"No rules yet. {_IMPORT}",
        {"rules": rows},
    )
