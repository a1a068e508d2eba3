"""`distill-tui curate freeze`: freezes the accepted answers into a dataset, or shows what freezing would do."""

import dataclasses
from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

from engine.cli.invocation import Invocation, command_options
from engine.wording import counted

if TYPE_CHECKING:
    from engine.project import Project
    from engine.records.dataset import FreezePreview


@click.command("freeze")
@click.option(
    "--allow-leaks", is_flag=True, help="Freeze even though answers repeat passages of the prompt. Read them first."
)
@click.option(
    "--with", "others", multiple=True, metavar="NAME-or-PATH",
    help="Include the accepted answers of this project too, so that one adapter learns several prompts. "
    "Repeatable.",
)  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Show what would be frozen or refused, without freezing it.")
@command_options
def freeze_(invocation: Invocation, allow_leaks: bool, others: tuple[str, ...], dry_run: bool) -> None:
    """Freeze the accepted answers into the dataset that training uses.

    The answers are tokenised once, and checked for passages of the prompt, which the student must not repeat.
    """
    from engine.curation.freeze import freeze, require_accepted
    from engine.folders import locate_project
    from engine.project import Project

    project = invocation.project
    with ExitStack() as opened:
        taken = [
            opened.enter_context(Project.open(locate_project(name, invocation.home), invocation.home))
            for name in others
        ]
        if dry_run:
            _preview(invocation, taken)
            return
        require_accepted(project)
        from engine.model.chat_format import ChatFormat  # slow to import: only once there is something to freeze
        from engine.model.locate import locate_base

        folder = locate_base(project.settings.read().student_base, invocation.home, invocation.say_progress)
        dataset = freeze(project, ChatFormat.load(folder), allow_leaks=allow_leaks, others=taken)
    train, validation = len(dataset.split("train")), len(dataset.split("validation"))
    lines = [f"Frozen as {dataset.sha256[:12]}: {counted(train, 'row')} to train on, {validation} to validate."]
    if dataset.others:
        lines.append(
            f"The dataset covers {1 + len(dataset.others)} prompts: this one, {', '.join(o.name for o in taken)}."
        )
    if dataset.questions_in_common:
        lines.append(
            f"{counted(dataset.questions_in_common, 'question')} of them are answered under several prompts: the "
            "student, which sees no prompt, will answer like one or the other."
        )
    invocation.finish(
        "\n".join([*lines, "Next: distill-tui train"]),
        {
            "sha256": dataset.sha256,
            "train": train,
            "validation": validation,
            "prompts": 1 + len(dataset.others),
            "questions_in_common": dataset.questions_in_common,
        },
    )


def _preview(invocation: Invocation, others: Sequence["Project"]) -> None:
    from engine.curation.freeze import preview
    from engine.model.chat_format import ChatFormat
    from engine.model.on_disk import folder_here

    project = invocation.project
    base = folder_here(project.settings.read().student_base, invocation.home)
    chat = ChatFormat.load(base) if base is not None else None
    own = preview(project, chat)
    taken = {other.name: preview(other, chat) for other in others}
    texts = [_preview_text(own), *(f"{name}: {_preview_text(found)}" for name, found in taken.items())]
    data = _preview_json(own)
    if taken:
        data["with"] = {name: _preview_json(found) for name, found in taken.items()}
    invocation.finish("\n".join(texts), data)


def _preview_json(found: "FreezePreview") -> dict[str, object]:
    return {"train": found.rows("train"), "validation": found.rows("validation"), **dataclasses.asdict(found)}


def _preview_text(found: "FreezePreview") -> str:
    refused = [f"Example {refusal.example_id} ({refusal.kind}): {refusal.words}" for refusal in found.refused]
    lengths = (
        "" if found.lengths_checked else "\nLengths are not checked until the student's tokenizer is on this machine."
    )
    return (
        f"{counted(found.rows('train'), 'row')} to train on, {found.rows('validation')} to validate. Left out: "
        f"{found.undecided} undecided, {found.rejected} rejected, {found.test} of the test split, "
        f"{found.repeated} repeated.{lengths}\n" + "\n".join([f"Refused: {len(refused)}.", *refused])
    )
