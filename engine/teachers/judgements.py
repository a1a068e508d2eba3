"""A judge's verdicts, each requested once and stored under the hash of its request, for every stage to reuse.

The hash covers everything that the judge is shown, and a judge is asked at temperature 0: a verdict does not depend on
the run or stage that an answer comes from. A reply that cannot be read gives no verdict and is requested again.
"""

from collections.abc import Callable, Iterable, Sequence

from engine.jobs.context import JobContext
from engine.project import Project
from engine.records.options import TeacherSpec
from engine.records.prompt import Message
from engine.rules.judge import UnreadableVerdictError, read_rubric_verdict, request_sha256
from engine.store.judgements import JudgeVerdict
from engine.teachers.judge import CONCURRENCY, ask_judge
from engine.teachers.ledger import Ledger

KEPT, BROKEN = "kept", "broken"  # the stored verdicts on a rubric


class JudgeRequests:
    """Requests to one judge. `verdicts`: its verdicts by request hash; `missing`: requests without one; `faults`: why
    the requests sent now got no verdict.
    """

    def __init__(
        self,
        project: Project,
        judge: TeacherSpec,
        requests: Iterable[Sequence[Message]],
        context: JobContext | None = None,
        limit_usd: float | None = None,
    ) -> None:
        """`context`: the job that pays, if any; `limit_usd`: the most that it may pay."""
        self._project, self._judge = project, judge
        self._context, self._limit_usd = context, limit_usd
        self.verdicts: dict[str, JudgeVerdict] = project.judgements.of(judge.name)
        self.missing = {key: request for request in requests if (key := request_sha256(request)) not in self.verdicts}
        self.faults: dict[str, str] = {}

    def ask(
        self,
        read: Callable[[str], JudgeVerdict],
        on_answered: Callable[[str], None] = lambda _key: None,
        interrupted: Callable[[], bool] = lambda: False,
        on_note: Callable[[str], None] | None = None,
    ) -> None:
        """Request every missing verdict; received verdicts are stored even on failure. `read` turns a reply into a
        verdict or raises UnreadableVerdictError; `on_note` receives a note about every failed try. Raises EndpointError
        if nothing can be asked, BudgetError if that would cost too much.
        """
        ledger = Ledger(self._project, self._judge, self._context, self._limit_usd)
        keys, waiting = list(self.missing), list[tuple[str, JudgeVerdict]]()

        def keep() -> None:
            self._project.judgements.add(self._judge.name, waiting)
            self.verdicts |= waiting
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
                on_note, has_answered=bool(self.verdicts),
            )  # fmt: skip
        finally:
            keep()


def rubric_verdict(reply: str) -> JudgeVerdict:
    """Return the verdict on a rubric (KEPT or BROKEN) and the reason. Raises UnreadableVerdictError."""
    passed, reason = read_rubric_verdict(reply)
    return KEPT if passed else BROKEN, reason
