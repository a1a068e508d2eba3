"""Sends many requests to a judge's endpoint, in groups. Knows nothing of what is asked or of the store."""

import asyncio
from collections.abc import Callable, Sequence

from engine.clean import clean_line
from engine.paths import Home
from engine.records.options import TeacherSpec
from engine.records.prompt import Message
from engine.rules.judge import REPLY_TOKENS
from engine.teachers.ledger import Ledger

CONCURRENCY = 16


def ask_judge(
    spec: TeacherSpec,
    home: Home,
    ledger: Ledger,
    requests: Sequence[Sequence[Message]],
    take: Callable[[int, str], None],
    refuse: Callable[[int, str], None],
    interrupted: Callable[[], bool],
    on_note: Callable[[str], None] | None,
    *,
    has_answered: bool,
) -> None:
    """Send every request at temperature 0. `take` receives its index and the reply, `refuse` its index and the reason.

    `on_note` receives a note about every failed try, `ledger` the bill of each. `has_answered`: whether the judge
    answered other requests before. Stops before the next group if `interrupted` returns True; requests in flight are
    paid for, so their replies are still taken. Raises EndpointError if nothing can be asked, or after ten refusals in
    a row that do not concern a single request, and BudgetError at the ledger's limit; earlier replies are kept.
    """
    from engine.teachers.endpoint import EndpointTeacher  # the client library takes a second to import
    from engine.teachers.failure_streak import FailureStreak
    from engine.teachers.faults import EndpointFault
    from engine.teachers.keys import check_address, key_for

    streak = FailureStreak(before=has_answered)
    key = key_for(check_address(spec.base_url), home)

    async def ask_all() -> None:
        asked = EndpointTeacher(spec, key, concurrency=CONCURRENCY, on_note=on_note, on_billed=ledger.bill)
        async with asked as judge:

            async def ask(place: int) -> None:
                try:
                    answer = await judge.answer(requests[place], temperature=0.0, max_tokens=REPLY_TOKENS)
                except EndpointFault as fault:
                    if fault.scope != "question" or streak.should_give_up(fault):
                        raise
                    refuse(place, clean_line(f"{fault.title} {fault.message}".strip()))
                else:
                    streak.answered()
                    take(place, answer.text)

            places = range(len(requests))
            for group in ledger.groups(places, requests.__getitem__, REPLY_TOKENS, CONCURRENCY):
                if interrupted():
                    return
                for outcome in await asyncio.gather(*map(ask, group), return_exceptions=True):
                    if outcome is not None:
                        raise outcome

    asyncio.run(ask_all())
