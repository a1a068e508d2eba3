"""Asks two arms at once, from an event loop on a separate thread, because the client takes a second to import.

Text reaches the pane at most ten times a second. The server is a job: it is started if none is running, and stays.
"""

import asyncio
import atexit
import threading
import time
from collections.abc import AsyncGenerator, Coroutine, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from textual.message import Message
from textual.message_pump import MessagePump

from engine.errors import StoreError, UsageError
from engine.evaluation.preference import Standing, standing
from engine.project import Project
from engine.questions.duplicates import twins_of
from engine.records.chat import Chat
from engine.records.prompt import Message as ChatMessage
from engine.records.question import Question
from engine.records.rule import CheckResult, Rule
from engine.records.vote import Vote
from engine.rules.checks import check_answer
from engine.rules.live import check_so_far
from tui.services.arms import Server, cost, ensure, from_teacher
from tui.services.failing import as_distill_error
from tui.services.store import StoreService
from tui.undoing import NOTHING_LEFT, undone

if TYPE_CHECKING:
    from engine.serving.client import Answer, ArmClient, Phase

FLUSH_EVERY_S = 0.1
ENDS_WITHIN_S = 2.0
_STARTING = "The server is starting; it keeps running when you quit."


@dataclass
class ReplyGrew(Message):
    """One arm has written more; `text` is everything so far, `checks` what the rules can already decide about it."""

    ticket: int
    arm: int
    text: str
    checks: tuple[CheckResult, ...] = ()


@dataclass
class ReplyEnded(Message):
    """One arm has answered, or failed: then `error` says why."""

    ticket: int
    arm: int
    answer: "Answer | None"
    error: str = ""
    checks: tuple[CheckResult, ...] = ()


@dataclass
class ServerStatus(Message):
    """What the server is doing before it can answer; empty once it answers."""

    ticket: int
    words: str


@dataclass
class ArmsRead(Message):
    """The arms that can be compared, the rules for their answers, and the last chat; `notice`: why there is none."""

    arms: tuple[str, ...]
    rules: tuple[Rule, ...]
    chat: Chat | None = None
    notice: str = ""


@dataclass
class VotesRead(Message):
    """The votes on two arms; `notice` reports what was just done, if anything, `kept` or `taken` to which vote."""

    standing: Standing
    notice: str = ""
    kept: Vote | None = None
    taken: Vote | None = None


@dataclass
class Kept(Message):
    """A question was added to the training questions, or was there already; `notice` reports which."""

    notice: str


class ChatService:
    """The arms of one project. Every method returns at once; answers come as messages to `target`."""

    def __init__(self, store: StoreService, target: MessagePump) -> None:
        self._store = store
        self._target = target
        self._loop: asyncio.AbstractEventLoop | None = None
        self._turn: Future[None] | None = None
        self._client: tuple[int, ArmClient] | None = None  # of which job
        self._rules: tuple[Rule, ...] = ()

    def read(self) -> None:
        """List the arms; ends in `ArmsRead`."""
        self._store.post(_arms, self._target)

    def ask(self, ticket: int, asked: Sequence[tuple[str, tuple[ChatMessage, ...]]], rules: tuple[Rule, ...]) -> None:
        """Send each arm its conversation, all at once. Every message of this turn carries `ticket`."""
        self._rules = rules
        server: Future[Server] = Future()
        self._store.post(lambda project: _ensure(project, server, ticket), self._target)
        self._turn = self._run(self._answer(ticket, server, asked))

    def halt(self) -> None:
        """Stop the answers in progress."""
        if self._turn is not None:
            self._turn.cancel()

    def keep(self, text: str) -> None:
        """Add the question to the training questions; ends in `Kept`."""
        self._store.post(lambda project: Kept(_keep(project, text)), self._target)

    def write_chat(self, chat: Chat) -> None:
        """Save the conversation, so that it is restored next time."""
        self._store.carry_out(lambda project: project.settings.write_chat(chat), self._target)

    def read_votes(self, arms: tuple[str, str]) -> None:
        """Read the votes on these two; ends in `VotesRead`."""
        self._store.post(lambda project: VotesRead(_standing(project, arms)), self._target)

    def vote(self, vote: Vote, arms: tuple[str, str]) -> None:
        """Save a vote; ends in `VotesRead`."""

        def work(project: Project) -> Message:
            project.votes.add(vote)
            return VotesRead(_standing(project, arms), kept=vote)

        self._store.post(work, self._target)

    def unvote(self, arms: tuple[str, str]) -> None:
        """Undo the last vote on these two; ends in `VotesRead`."""

        def work(project: Project) -> Message:
            cast = project.votes.between(*arms)
            if not cast:
                return VotesRead(_standing(project, arms), NOTHING_LEFT)
            project.votes.remove(cast[-1].id)
            return VotesRead(_standing(project, arms), undone("the last vote"), taken=cast[-1])

        self._store.post(work, self._target)

    def close(self) -> None:
        """Disconnect from the server, which keeps running; the thread ends once aborted answers' costs are recorded."""
        self.halt()
        if self._loop is not None:
            asyncio.run_coroutine_threadsafe(self._leave(), self._loop)

    def _run(self, work: Coroutine[None, None, None]) -> Future[None]:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            thread = threading.Thread(target=_turn_until_stopped, args=(self._loop,), name="chat", daemon=True)
            thread.start()
            atexit.register(thread.join, ENDS_WITHIN_S)  # the program waits for that, and no screen
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    async def _leave(self) -> None:
        if ending := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(ending, timeout=ENDS_WITHIN_S)
        if self._client is not None:
            await self._client[1].__aexit__(None, None, None)
        asyncio.get_running_loop().stop()

    async def _answer(
        self, ticket: int, found: Future[Server], asked: Sequence[tuple[str, tuple[ChatMessage, ...]]]
    ) -> None:
        try:
            server = await asyncio.wrap_future(found)
            arms = [name for name, _ in asked]
            local = any(name != server.teacher.name for name in arms)
            client = await self._connect(server, ticket) if local else None
        except Exception as error:  # noqa: BLE001 - otherwise it would go unseen and the turn would never end
            self._end_all(ticket, len(asked), _words_of(error))
            return
        except asyncio.CancelledError:
            self._end_all(ticket, len(asked), "Stopped.")
            raise
        await asyncio.gather(
            *(self._one(ticket, arm, server, client, name, messages) for arm, (name, messages) in enumerate(asked))
        )

    async def _connect(self, server: Server, ticket: int) -> "ArmClient":
        """A client of the server, once it answers."""
        from engine.serving.client import ArmClient, wait_until_ready

        address = await wait_until_ready(self._store.folder, server.job, partial(self._tell, ticket))
        self._target.post_message(ServerStatus(ticket, ""))
        if (before := self._client) is not None and before[0] == server.job.id:
            return before[1]
        client = ArmClient(address)
        self._client = server.job.id, client
        if before is not None:
            await before[1].__aexit__(None, None, None)
        return client

    def _tell(self, ticket: int, phase: "Phase", words: str) -> None:
        sentences = {
            "starting": _STARTING,
            "loading": "Loading the model.",
            "waiting": "The server is waiting for the device.",
            "paused": "The server is paused.",
            "ready": "",
        }
        self._target.post_message(ServerStatus(ticket, words or sentences[phase]))

    async def _one(
        self,
        ticket: int,
        arm: int,
        server: Server,
        client: "ArmClient | None",
        name: str,
        messages: tuple[ChatMessage, ...],
    ) -> None:
        """Stream one arm's answer."""
        from engine.serving.client import Answer

        text, shown_at = "", 0.0
        answer: Answer | None = None
        try:
            async for piece in self._pieces(server, client, name, messages):
                if isinstance(piece, Answer):
                    here = piece.provenance is not None and server.local is not None
                    answer = replace(piece, cost_usd=cost(piece, server.local)) if here else piece
                    continue
                text = text + piece if isinstance(piece, str) else ""  # the request is retried: discard what came
                if (now := time.monotonic()) - shown_at >= FLUSH_EVERY_S:
                    shown_at = now
                    self._target.post_message(ReplyGrew(ticket, arm, text, check_so_far(self._rules, text)))
        except Exception as error:  # noqa: BLE001 - otherwise it would go unseen and the turn would never end
            self._target.post_message(ReplyGrew(ticket, arm, text))
            self._end(ticket, arm, None, _words_of(error))
            return
        except asyncio.CancelledError:
            self._target.post_message(ReplyGrew(ticket, arm, text))
            self._end(ticket, arm, None, "Stopped.")
            raise
        self._end(ticket, arm, answer, "" if answer is not None else "The answer broke off.", messages[-1].content)

    def _pieces(
        self, server: Server, client: "ArmClient | None", name: str, messages: tuple[ChatMessage, ...]
    ) -> AsyncGenerator[object, None]:
        if client is not None and name != server.teacher.name:
            return client.stream(name, messages)
        return from_teacher(server, messages, self._store.folder, self._store.home)

    def _end_all(self, ticket: int, arms: int, error: str) -> None:
        for arm in range(arms):
            self._end(ticket, arm, None, error)

    def _end(self, ticket: int, arm: int, answer: "Answer | None", error: str, question: str = "") -> None:
        checks: tuple[CheckResult, ...] = ()
        if answer is not None:
            checks = check_answer(self._rules, answer.text, Question((ChatMessage("user", question),)))
        self._target.post_message(ReplyEnded(ticket, arm, answer, error, checks))


def _words_of(error: Exception) -> str:
    """Why an answer broke off: the message of a known error, or that it is a bug."""
    return str(error if isinstance(error, OSError) else as_distill_error(error))


def _turn_until_stopped(loop: asyncio.AbstractEventLoop) -> None:
    """Run the loop until it is stopped, and leave nothing open."""
    loop.run_forever()
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


def _ensure(project: Project, found: Future[Server], ticket: int) -> Message:
    """Make sure the server runs, and pass what is needed to the waiting turn."""
    if not found.set_running_or_notify_cancel():  # the turn was stopped meanwhile
        return ServerStatus(ticket, "")
    try:
        server, new = ensure(project)
    except BaseException as error:
        found.set_exception(error)
        raise
    found.set_result(server)
    return ServerStatus(ticket, _STARTING if new else "")


def _arms(project: Project) -> Message:
    """The base's arms, the teacher if it is another model, and every run with an adapter, newest first."""
    arms = ["prompted"] if project.prompts.current() is not None else []
    arms += [f"run-{run.id}" for run in reversed(project.runs.all()) if run.has_adapter]
    teacher = project.settings.read().teacher
    arms += [teacher.name] if teacher.kind == "endpoint" else []
    rules, offered = project.rules.all(), (*arms, "unprompted")
    try:
        return ArmsRead(offered, rules, project.settings.chat())
    except StoreError as error:
        return ArmsRead(offered, rules, notice=f"The last chat is lost. {error}")


def _standing(project: Project, arms: tuple[str, str]) -> Standing:
    return standing(project.votes.between(*arms), arms[0])


def _keep(project: Project, text: str) -> str:
    """Add the question to the training questions. Raises `UsageError` if it is, or nearly repeats, a held-out one."""
    question = Question((ChatMessage("user", text),), topic="chat", source="chat", split="train")
    held = [*project.questions.all("validation"), *project.questions.all("test")]
    if twins := twins_of(question, held):
        twin, alike = held[twins[0].position], twins[0].similarity
        raise UsageError(
            "This question repeats a held-out one.",
            f"Question {twin.id} ({twin.split}) is {100 * alike:.0f} % alike: “{twin.text[:200]}”",
            "Training on it would invalidate the evaluation. Ask about something else.",
        )
    added = project.questions.add([question])
    if added.added:
        return "Added to the training questions. Answer it under Examples."
    raise UsageError("The question is already there.", "It stays in its split.", "")
