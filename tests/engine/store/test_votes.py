"""Votes come back as they were given, whichever side their arms stood on."""

from engine.project import Project
from engine.records.prompt import Message
from engine.records.vote import Vote


def make(left: str, right: str, choice: str = "left") -> Vote:
    said = (Message("user", "first"), Message("assistant", "so"), Message("user", "why?"))
    return Vote(said, left, right, f"by {left}", f"by {right}", choice, blind=True)


def test_votes_on_two_arms_are_found_on_either_side_and_others_are_not(project: Project) -> None:
    one = project.votes.add(make("prompted", "run-1"))
    two = project.votes.add(make("run-1", "prompted", "both_bad"))
    project.votes.add(make("prompted", "run-1@60"))
    assert project.votes.between("run-1", "prompted") == (one, two)
    assert one.created_at
    assert one.messages[-1] == Message("user", "why?")


def test_a_vote_is_taken_back_once(project: Project) -> None:
    vote = project.votes.add(make("prompted", "run-1"))
    assert project.votes.remove(vote.id)
    assert not project.votes.remove(vote.id)
    assert project.votes.between("prompted", "run-1") == ()
