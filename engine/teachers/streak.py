"""When to give up on an endpoint: after so many failures in a row that say something of it, not of one question.

Knows nothing of how questions are asked.
"""

from engine.teachers.faults import EndpointFault, FaultKind

HOPELESS_IN_A_ROW = 10
_OF_THE_QUESTION: tuple[FaultKind, ...] = ("context", "content_filter", "too_long")
# Once any answer came, these are the question's too; before that, each costs as much as an answer that never comes.
_OF_THE_QUESTION_PERHAPS: tuple[FaultKind, ...] = ("no_content", "unknown_finish")


class Streak:
    """Failures since the last answer of one endpoint.

    `before`: whether it has answered others of the same work earlier. What is asked again then is what it refused then,
    and says something about those questions.
    """

    def __init__(self, *, before: bool = False) -> None:
        self._in_a_row = 0
        self._before = before
        self.has_answered = before  # or in this very streak

    def answered(self) -> None:
        """An answer came: the endpoint works."""
        self._in_a_row = 0
        self.has_answered = True

    def of_the_question(self, fault: EndpointFault) -> bool:
        """Whether the failure says something about its question alone."""
        return (
            fault.kind in _OF_THE_QUESTION
            or (self.has_answered and fault.kind in _OF_THE_QUESTION_PERHAPS)
            or (self._before and fault.scope == "question")
        )

    def is_hopeless(self, fault: EndpointFault) -> bool:
        """Take one more failure; True where the other questions would fail as well."""
        self._in_a_row += not self.of_the_question(fault)
        return fault.scope == "job" or self._in_a_row >= HOPELESS_IN_A_ROW
