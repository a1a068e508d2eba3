"""A judge's verdicts, each requested once and stored under the hash of its request, for every stage to reuse.

The hash covers everything that the judge is shown, and a judge is asked at temperature 0: a verdict does not depend on
the run or stage that an answer comes from. A reply that cannot be read gives no verdict and is requested again.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence

from engine.clean import clean_line
from engine.jobs.context import JobContext
from engine.project import Project
from engine.records.options import TeacherSpec
from engine.records.prompt import Message
from engine.rules.judge import REPLY_TOKENS, UnreadableVerdictError, read_rubric_verdict, request_sha256
from engine.store.judgements import JudgeVerdict
from engine.teachers.ledger import Ledger

KEPT, BROKEN = "kept", "broken"  # the stored verdicts on a rubric
_CONCURRENCY = 16


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
        self._unstored: list[tuple[str, JudgeVerdict]] = []

    def ask(
        self,
        read: Callable[[str], JudgeVerdict],
        on_answered: Callable[[str], None] = lambda _key: None,
        interrupted: Callable[[], bool] = lambda: False,
        on_note: Callable[[str], None] | None = None,
    ) -> None:
        """Request every missing verdict at temperature 0, in groups; received verdicts are stored even on failure.

        `read` turns a reply into a verdict or raises UnreadableVerdictError; `on_answered` receives the hash of every
        request that needs no further try; `on_note` receives a note about every failed try. Stops before the next group
        if `interrupted` returns True. Raises EndpointError if nothing can be asked, or after ten refusals in a row that
        do not concern a single request, and BudgetError if that would cost too much.
        """
        try:
            asyncio.run(self._ask_all(read, on_answered, interrupted, on_note))
        finally:
            self._keep()

    async def _ask_all(
        self,
        read: Callable[[str], JudgeVerdict],
        on_answered: Callable[[str], None],
        interrupted: Callable[[], bool],
        on_note: Callable[[str], None] | None,
    ) -> None:
        from engine.teachers.endpoint import EndpointTeacher  # the client library takes a second to import
        from engine.teachers.failure_streak import FailureStreak
        from engine.teachers.faults import EndpointFault
        from engine.teachers.keys import key_for

        ledger = Ledger(self._project, self._judge, self._context, self._limit_usd)
        streak = FailureStreak(before=bool(self.verdicts))
        key = key_for(self._judge.base_url, self._project.home)
        asked = EndpointTeacher(self._judge, key, concurrency=_CONCURRENCY, on_note=on_note, on_billed=ledger.bill)
        async with asked as judge:

            async def ask(sha256: str) -> None:
                try:
                    answer = await judge.answer(self.missing[sha256], temperature=0.0, max_tokens=REPLY_TOKENS)
                except EndpointFault as fault:
                    if fault.scope != "question" or streak.should_give_up(fault):
                        raise
                    self.faults[sha256] = clean_line(f"{fault.title} {fault.message}".strip())
                else:
                    streak.answered()
                    self._take(sha256, answer.text, read)
                on_answered(sha256)

            # Requests in flight are paid for, so their replies are still taken after an interruption.
            for group in ledger.groups(list(self.missing), self.missing.__getitem__, REPLY_TOKENS, _CONCURRENCY):
                if interrupted():
                    return
                for outcome in await asyncio.gather(*map(ask, group), return_exceptions=True):
                    if outcome is not None:
                        raise outcome

    def _take(self, sha256: str, reply: str, read: Callable[[str], JudgeVerdict]) -> None:
        try:
            self._unstored.append((sha256, read(reply)))
        except UnreadableVerdictError as error:
            self.faults[sha256] = str(error)
            return
        if len(self._unstored) >= _CONCURRENCY:
            self._keep()

    def _keep(self) -> None:
        self._project.judgements.add(self._judge.name, self._unstored)
        self.verdicts |= self._unstored
        self._unstored.clear()


def rubric_verdict(reply: str) -> JudgeVerdict:
    """Return the verdict on a rubric (KEPT or BROKEN) and the reason. Raises UnreadableVerdictError."""
    passed, reason = read_rubric_verdict(reply)
    return KEPT if passed else BROKEN, reason
