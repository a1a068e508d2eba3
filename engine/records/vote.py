"""Votes: what a person thought of two answers to one question. Knows nothing of models."""

from dataclasses import dataclass
from typing import Literal

from engine.records.prompt import Message

VoteChoice = Literal["left", "right", "tie", "both_bad"]


@dataclass(frozen=True, slots=True)
class Vote:
    """One vote. Sides are as they were shown; arms have the server's names, including strength."""

    messages: tuple[Message, ...]  # what both arms were asked, ending with the question
    left: str
    right: str
    left_answer: str
    right_answer: str
    choice: VoteChoice
    blind: bool  # the arms' names were hidden until the vote
    created_at: str = ""
    id: int = 0  # 0 until stored
