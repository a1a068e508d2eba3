"""What a judge says to requests, each asked once: its word is kept under the request's own hash, whoever asks for it.

A hash holds all that the judge is told, and a judge is asked at temperature 0: which run or stage an answer comes from,
its word does not depend on. A reply that cannot be read is no word, and is asked for again the next time.
"""

from collections.abc import Callable, Iterable, Sequence

from engine.jobs.context import JobContext
from engine.project import Project
from engine.records.options import TeacherSpec
from engine.records.prompt import Message
from engine.rules.judge import UnreadableVerdictError, read_rubric_verdict, request_sha256
from engine.store.judgements import Said
from engine.teachers.judge import CONCURRENCY, ask_judge
from engine.teachers.ledger import Ledger

KEPT, BROKEN = "kept", "broken"  # in a word, what is said by a rubric


class Asking:
    """Requests to one judge. `said`: its words by the request's hash; `missing`: what it was not asked yet; `faults`:
    why no word came to those that were asked now.
    """

    def __init__(
        self,
        project: Project,
        judge: TeacherSpec,
        requests: Iterable[Sequence[Message]],
        context: JobContext | None = None,
        limit_usd: float | None = None,
    ) -> None:
        """`context`: of the job that pays for it, where one does, and `limit_usd` what it may pay at most."""
        self._project, self._judge = project, judge
        self._context, self._limit_usd = context, limit_usd
        self.said: dict[str, Said] = project.judgements.of(judge.name)
        self.missing = {key: request for request in requests if (key := request_sha256(request)) not in self.said}
        self.faults: dict[str, str] = {}

    def ask(
        self,
        read: Callable[[str], Said],
        on_answered: Callable[[str], None] = lambda _key: None,
        interrupted: Callable[[], bool] = lambda: False,
        on_note: Callable[[str], None] | None = None,
    ) -> None:
        """Ask for every word that is missing; what came is kept, whatever happens. `read` makes a word of a reply, or
        raises UnreadableVerdictError; `on_note` is told of every try that failed. Raises EndpointError where nothing
        can be asked, BudgetError where that would cost too much.
        """
        ledger = Ledger(self._project, self._judge, self._context, self._limit_usd)
        keys, waiting = list(self.missing), list[tuple[str, Said]]()

        def keep() -> None:
            self._project.judgements.add(self._judge.name, waiting)
            self.said |= waiting
            waiting.clear()

        def take(place: int, reply: str) -> None:
            try:
                waiting.append((keys[place], read(reply)))
            except UnreadableVerdictError as error:
                refuse(place, str(error))
                return
            if len(waiting) >= CONCURRENCY:
                keep()
            on_answered(keys[place])

        def refuse(place: int, why: str) -> None:
            self.faults[keys[place]] = why
            on_answered(keys[place])

        try:
            ask_judge(
                self._judge, self._project.home, ledger, list(self.missing.values()), take, refuse, interrupted,
                on_note, has_answered=bool(self.said),
            )  # fmt: skip
        finally:
            keep()


def rubric_word(reply: str) -> Said:
    """Whether the answer keeps the rubric, in a word, and the reason. Raises UnreadableVerdictError."""
    passed, reason = read_rubric_verdict(reply)
    return KEPT if passed else BROKEN, reason
