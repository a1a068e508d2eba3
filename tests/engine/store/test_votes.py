"""Votes are found by their two arms, whichever side each arm was shown on."""

from engine.project import Project
from engine.records.prompt import Message
from engine.records.vote import Vote, VoteChoice


def make_vote(left: str, right: str, choice: VoteChoice = "left") -> Vote:
    messages = (Message("user", "first"), Message("assistant", "so"), Message("user", "why?"))
    return Vote(messages, left, right, f"by {left}", f"by {right}", choice, blind=True)


def test_votes_are_found_by_their_two_arms_in_either_order(project: Project) -> None:
    one = project.votes.add(make_vote("prompted", "run-1"))
    two = project.votes.add(make_vote("run-1", "prompted", "both_bad"))
    project.votes.add(make_vote("prompted", "run-1@60"))
    assert project.votes.between("run-1", "prompted") == (one, two)
    assert one.created_at
    assert one.messages[-1] == Message("user", "why?")


def test_vote_can_be_removed_once(project: Project) -> None:
    vote = project.votes.add(make_vote("prompted", "run-1"))
    assert project.votes.remove(vote.id)
    assert not project.votes.remove(vote.id)
    assert project.votes.between("prompted", "run-1") == ()
