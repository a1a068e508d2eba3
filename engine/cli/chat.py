"""`distill-tui chat`: asks the arms, as text. Starts the server if none is running, and leaves it running once
it is ready.
"""

import asyncio
import signal
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, aclosing, suppress
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from engine.clean import clean_line
from engine.cli.asking_options import temperature_option
from engine.cli.following import TerminatedError, raising_signals
from engine.cli.invocation import Invocation, command_options

if TYPE_CHECKING:
    from engine.records.job import Job
    from engine.records.prompt import Message
    from engine.serving.client import Answer, ArmClient
    from engine.serving.remote import RemoteClient, Restarted

TEACHER = "teacher"


@click.command("chat")
@click.argument("question", required=False)
@click.option(
    "--arm",
    "arms",
    multiple=True,
    metavar="NAME",
    help="Arm to ask: unprompted, prompted, run-1, run-1@60, run-1+prompt or teacher. Repeatable.",
)
@temperature_option
@click.option(
    "--max-answer-tokens",
    type=click.IntRange(1),
    default=None,
    help="Maximum length of an answer, in tokens; longer answers are cut off.",
)
@click.option("--seed", type=int, default=None, help="Random seed for repeatable answers; the teacher ignores it.")
@command_options
def command(
    invocation: Invocation,
    question: str | None,
    arms: tuple[str, ...],
    temperature: float | None,
    max_answer_tokens: int | None,
    seed: int | None,
) -> None:
    """Ask several arms QUESTION, and show which rules each answer passes.

    Without QUESTION, questions are read from the terminal, one line each. Without --arm, the prompted base and the
    newest run without the prompt answer.
    """
    from engine.errors import UsageError
    from engine.model.adapter_place import adapter_of
    from engine.serving.names import parse_arm

    if question is not None and not question.strip():
        raise UsageError("The question is empty.", "", "Pass one: chat “…”")
    if question is None and (invocation.json_output or not sys.stdin.isatty()):
        raise UsageError(
            "No question was given.",
            "They are read from a terminal, without --json.",
            "Pass one: chat “…”",
        )
    for arm in arms:  # reported before a server is started
        choice = parse_arm(arm)
        if choice is None and arm != TEACHER:
            known = "unprompted, prompted, run-1, run-1@60, run-1+prompt or teacher"
            raise UsageError(
                f"There is no arm “{clean_line(arm, 60)}”.", f"The arms are {known}.", "Choose one of these."
            )
        if choice is not None and choice.run_id:
            adapter_of(invocation.project.folder, invocation.project.runs.get(choice.run_id))
    settings = invocation.project.settings.read()
    asking = _Asking(
        invocation,
        arms or _usual_arms(invocation),
        settings.serving_temperature if temperature is None else temperature,
        max_answer_tokens,
        seed,
    )
    # Lines are read between two runs of the loop: inside one, Ctrl-C would not interrupt the input.
    with raising_signals(signal.SIGTERM, signal.SIGHUP), asyncio.Runner() as runner:
        try:
            runner.run(asking.reach())
            if question is not None:
                answers = runner.run(asking.ask(question))
                invocation.finish("", {"question": question, "answers": answers})
            else:
                while (line := _read_line()) is not None:
                    if line.strip():
                        runner.run(asking.ask(line))
        except TerminatedError as terminated:
            raise click.exceptions.Exit(terminated.status) from None
        except KeyboardInterrupt:
            raise click.Abort from None
        finally:
            runner.run(asking.close())


def _usual_arms(invocation: Invocation) -> tuple[str, ...]:
    from engine.serving.names import PROMPTED, UNPROMPTED, ArmChoice

    project = invocation.project
    trained = [run.id for run in project.runs.all() if run.has_adapter]
    first = PROMPTED if project.prompts.current() is not None else UNPROMPTED
    return (first.name, ArmChoice(trained[-1]).name) if trained else (first.name,)


class _Asking:
    """One call of the command: its arms, and the conversation with each of them."""

    def __init__(
        self,
        invocation: Invocation,
        arms: Sequence[str],
        temperature: float,
        max_tokens: int | None,
        seed: int | None,
    ) -> None:
        self._invocation, self._arms = invocation, tuple(dict.fromkeys(arms))
        self._temperature, self._max_tokens, self._seed = temperature, max_tokens, seed
        self._histories: dict[str, list[Message]] = {arm: [] for arm in self._arms}
        self._clients = AsyncExitStack()
        self._awaited: Job | None = None  # a server that was started here and is not ready yet
        self._local: ArmClient | None = None
        self._remote: RemoteClient | None = None

    async def ask(self, question: str) -> list[dict[str, object]]:
        """Let every arm answer, one after the other; return the answers as JSON objects."""
        return [await self._ask(arm, question) for arm in self._arms]

    async def close(self) -> None:
        """Close the clients, and stop a server that was started here if it is not ready yet: nobody waits for it."""
        from engine.errors import JobError
        from engine.jobs.control import stop

        await self._clients.aclose()
        if self._awaited is not None:
            with suppress(JobError):  # it has ended by itself, which is why nobody waits
                stop(self._invocation.project, self._awaited)
                self._invocation.say(f"Job {self._awaited.id} (serve) will stop: it was started for this chat.")

    async def reach(self) -> None:
        """Create a client for every arm; the server is started for local arms only."""
        from engine.serving.client import ArmClient, ensure_server, wait_until_ready

        project = self._invocation.project
        if TEACHER in self._arms:
            self._remote = await self._clients.enter_async_context(self._teacher())
        if any(arm != TEACHER for arm in self._arms):
            started = ensure_server(project)
            self._awaited = started.job if started.new else None
            address = await wait_until_ready(
                project.folder,
                started.job,
                lambda _, words: self._invocation.say(words) if words else None,
            )
            self._awaited = None
            if started.new:
                self._invocation.say(
                    f"The server keeps running as job {started.job.id}. Stop it: distill-tui jobs stop {started.job.id}"
                )
            self._local = await self._clients.enter_async_context(ArmClient(address))

    def _teacher(self) -> "RemoteClient":
        from engine.errors import UsageError
        from engine.serving.remote import RemoteClient
        from engine.teachers.ledger import Ledger

        project = self._invocation.project
        settings, current = project.settings.read(), project.prompts.current()
        teacher = settings.teacher
        if teacher.kind != "endpoint":
            raise UsageError(
                "The project's teacher is not an endpoint.",
                f"It is the local model {teacher.model}.",
                "Use --arm prompted instead.",
            )
        prompt = current.prompt if current is not None else None
        billed = Ledger(project, teacher).bill
        return RemoteClient(teacher, prompt, self._invocation.home, billed, settings.prices)

    async def _ask(self, arm: str, question: str) -> dict[str, object]:
        """Stream one answer; return it as a JSON object."""
        from engine.clean import StreamCleaner
        from engine.records.prompt import Message
        from engine.records.question import Question
        from engine.rules.checks import check_answer
        from engine.serving.client import Answer

        text_mode = not self._invocation.json_output
        messages = [*self._histories[arm], Message("user", question)]
        cleaner = StreamCleaner()
        answer: Answer | None = None
        heading = f"── {arm}"
        async with aclosing(self._stream(arm, messages)) as pieces:
            async for piece in pieces:
                if text_mode and heading:
                    click.echo(heading)  # not printed for an arm that is refused
                    heading = ""
                if isinstance(piece, Answer):
                    answer = piece
                elif isinstance(piece, str):
                    if text_mode:
                        click.echo(cleaner.feed(piece), nl=False)
                elif text_mode:
                    cleaner = StreamCleaner()
                    click.echo()
                    self._invocation.say(f"{piece.why} Asking again.")
        if answer is None:
            raise AssertionError("a stream ends with an answer or an error")
        self._histories[arm] = [*messages, Message("assistant", answer.text)]
        rules = self._invocation.project.rules.all()
        results = check_answer(rules, answer.text, Question(tuple(messages)))
        if text_mode:
            click.echo()
            marks = "  ".join(f"{r.rule_id} {'✓' if r.passed else '✗ ' + r.note}" for r in results)
            self._invocation.finish("\n".join(part for part in (marks, _figures(answer)) if part) + "\n", {})
        return {
            "arm": arm,
            **asdict(answer),
            "tokens_per_second": answer.tokens_per_second,
            "rules": [{"id": r.rule_id, "passed": r.passed, "note": r.note} for r in results],
        }

    def _stream(self, arm: str, messages: "Sequence[Message]") -> "AsyncGenerator[str | Restarted | Answer, None]":
        if arm == TEACHER and self._remote is not None:
            return self._remote.stream(messages, temperature=self._temperature, max_tokens=self._max_tokens)
        if self._local is None:
            raise AssertionError("a local arm has a server")
        return self._local.stream(
            arm, messages, temperature=self._temperature, max_tokens=self._max_tokens, seed=self._seed
        )


def _figures(answer: "Answer") -> str:
    rate = answer.tokens_per_second
    parts = [
        f"{answer.prompt_tokens} + {answer.completion_tokens} tokens",
        f"first token after {answer.first_token_s:.2f} s",
        *([f"{rate:.1f} tokens/s"] if rate is not None else []),
        *([f"{answer.cost_usd:.5f} USD"] if answer.cost_usd is not None else []),
        *([f"ended by {answer.finish_reason}"] if answer.finish_reason != "stop" else []),
    ]
    return "   ".join(parts)


def _read_line() -> str | None:
    """The next question; None at the end of the input."""
    try:
        return input("> ")
    except EOFError:
        return None
