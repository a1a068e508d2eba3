"""`distill-tui models`: lists the models in the cache and downloads more."""

import click

from engine.cli.invocation import CommandGroup, Invocation, command_options
from engine.paths import model_name


@click.group("models", cls=CommandGroup)
def command() -> None:
    """List and download models."""


@command.command("list")
@command_options
def list_(invocation: Invocation) -> None:
    """List the models that can be used without network access."""
    from engine.model.locate import cached_models

    models = cached_models(invocation.home)
    invocation.finish(
        "\n".join(f"{model.name:<40} {model.size_bytes / 1e6:>9,.0f} MB  {model.folder}" for model in models)
        or "No models yet. Prepare the starter: distill-tui models fetch starter",
        {"models": [{"name": m.name, "folder": str(m.folder), "size_bytes": m.size_bytes} for m in models]},
    )


@command.command("fetch")
@click.argument("name")
@command_options
def fetch(invocation: Invocation, name: str) -> None:
    """Fetch the model NAME (`starter` or a hub name) into the cache. Safetensors only, never remote code."""
    from engine.model.locate import locate_base

    folder = locate_base(model_name(name), invocation.home, invocation.say_progress)
    invocation.finish(f"{name} is in {folder}", {"name": name, "folder": str(folder)})
