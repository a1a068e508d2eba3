"""What answers a question in the chat: the project's server, started if none is running, and a teacher's endpoint.

Knows nothing of turns. The libraries of both are imported on first use.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine.economics.prices import Prices, cost_usd
from engine.paths import Home
from engine.project import Project
from engine.records.cost import EndpointPrices
from engine.records.example import Usage
from engine.records.job import Job
from engine.records.options import TeacherSpec
from engine.records.prompt import Message, Prompt

if TYPE_CHECKING:
    from engine.serving.client import Answer


@dataclass(frozen=True, slots=True)
class Server:
    """What a turn needs from the project: its server's job, the teacher and its prompt, the temperature.

    `local`: the prices entered for local serving; None unless both are known.
    """

    job: Job
    teacher: TeacherSpec
    prompt: Prompt | None
    temperature: float
    local: Prices | None
    given: tuple[EndpointPrices, ...] = ()  # in the project's settings


def ensure(project: Project) -> tuple[Server, bool]:
    """The server, and whether it was just started. Raises `DistillError` if it cannot start."""
    from engine.serving.client import ensure_server

    settings, version = project.settings.read(), project.prompts.current()
    started = ensure_server(project)
    prompt = version.prompt if version is not None else None
    server = Server(
        started.job, settings.teacher, prompt, settings.serving_temperature, local_prices(project), settings.prices
    )
    return server, started.new


async def from_teacher(
    server: Server, messages: tuple[Message, ...], folder: Path, home: Home
) -> AsyncGenerator[object, None]:
    """Stream the answer of a teacher at an endpoint; its cost is recorded in the project."""
    from engine.serving.remote import RemoteClient
    from engine.teachers.ledger import Ledger

    def book(usage: Usage) -> None:
        with Project.open(folder, home) as project:  # this thread's own: the store's may be closed by now
            Ledger(project, server.teacher).bill(usage)

    async with RemoteClient(server.teacher, server.prompt, home, book, server.given) as client:
        async for piece in client.stream(messages, temperature=server.temperature):
            yield piece


def local_prices(project: Project) -> Prices | None:
    """Prices per locally served token, as entered in the cost pane."""
    given = project.settings.cost_inputs()
    read, written = given.distilled_input_usd_per_mtok, given.distilled_output_usd_per_mtok
    return None if read is None or written is None else Prices(read, written, read)


def cost(answer: "Answer", prices: Prices | None) -> float | None:
    """Cost of a local answer at these prices, in dollars."""
    usage = Usage(answer.prompt_tokens, answer.completion_tokens)
    return cost_usd(prices, usage) if prices is not None else None
