"""When to stop asking an endpoint: after several failures in a row that concern it rather than one question.

Knows nothing of how questions are asked.
"""

from engine.teachers.fault_kinds import FAULTS
from engine.teachers.faults import EndpointFault

HOPELESS_IN_A_ROW = 10


class FailureStreak:
    """Failures of one endpoint since its last answer.

    `before`: whether it answered other requests of the same work earlier. Then the requests left are those that it
    refused, and their failures concern those questions.
    """

    def __init__(self, *, before: bool = False) -> None:
        self._in_a_row = 0
        self._before = before
        self.has_answered = before  # or since

    def answered(self) -> None:
        """Record an answer: the endpoint works."""
        self._in_a_row = 0
        self.has_answered = True

    def of_the_question(self, fault: EndpointFault) -> bool:
        """Whether the failure concerns only its question."""
        of_question = FAULTS[fault.kind].of_question
        return (
            of_question == "always"
            or (of_question == "once answered" and self.has_answered)
            or (self._before and fault.scope == "question")
        )

    def should_give_up(self, fault: EndpointFault) -> bool:
        """Record a failure; return True if other questions would fail as well."""
        self._in_a_row += not self.of_the_question(fault)
        return fault.scope == "job" or self._in_a_row >= HOPELESS_IN_A_ROW
