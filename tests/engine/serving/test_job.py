"""The server as a job: it yields the device, pauses, stops, ends when idle, and keeps its token private."""

import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletion

from engine.errors import JobError, JobStopped
from engine.jobs.control_file import write_command
from engine.jobs.devices import Holder, Ticket
from engine.jobs.follow import Follower
from engine.jobs.protocol import Note
from engine.paths import Home
from engine.project import Project
from engine.records.options import ServeOptions
from engine.serving import job as serving_job
from engine.serving.answering import Answerer
from engine.serving.job import base_of
from engine.serving.server import Server
from engine.stations import read_stations
from tests.engine.jobs.support import wait_until
from tests.engine.serving.conftest import client_of, serving

HELLO: Any = [{"role": "user", "content": "Hello?"}]


def answer(client: openai.OpenAI, **more: Any) -> str | None:
    reply: ChatCompletion = client.chat.completions.create(
        model="run-1", messages=HELLO, max_tokens=12, temperature=0, **more
    )
    return reply.choices[0].message.content


def refusal_code(client: openai.OpenAI) -> str:
    """The code of the server's refusal; empty if it answers."""
    try:
        answer(client)
    except openai.InternalServerError as error:
        return str(error.code)
    return ""


def test_server_yields_to_another_job_and_returns_at_the_same_address(
    own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving_job, "GIVE_WAY_AFTER_S", 0.0)
    home = Home.locate()
    with serving(home, own_folder, ServeOptions()) as served, client_of(served) as client:
        wait_until(lambda: refusal_code(client) == "")
        before, address = answer(client), served.address
        ticket = Ticket.draw(home.state, "cpu", Holder(7, "train", "elsewhere"))
        wait_until(lambda: ticket.ahead() is None)
        wait_until(lambda: refusal_code(client) == "server_waiting")
        with pytest.raises(openai.InternalServerError, match=r"job 7 \(train\) of elsewhere holds cpu"):
            answer(client)
        assert [model.id for model in client.models.list()][:1] == ["unprompted"]
        with Project.open(own_folder, home) as project:
            assert project.jobs.get(served.job_id).state == "waiting"
        ticket.give_back()
        wait_until(lambda: refusal_code(client) == "")
        assert answer(client) == before
        assert served.address == address
        assert len(served.answerers) == 2


def test_new_requests_are_refused_once_another_job_has_waited_long(
    own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving_job, "PATIENCE_S", 0.0)
    home = Home.locate()
    with serving(home, own_folder, ServeOptions()) as served, client_of(served) as client:
        wait_until(lambda: refusal_code(client) == "")
        stream = client.chat.completions.create(
            model="run-1", messages=HELLO, max_tokens=1800, temperature=2, seed=1, stream=True
        )
        next(iter(stream))
        ticket = Ticket.draw(home.state, "cpu", Holder(7, "train", "elsewhere"))
        wait_until(lambda: refusal_code(client) in ("server_wanted", "server_waiting"))
        # The answer that had started is still completed.
        assert [chunk.choices[0].finish_reason for chunk in stream][-1] in ("stop", "length")
        wait_until(lambda: ticket.ahead() is None)
        ticket.give_back()


def test_paused_server_refuses_requests_until_resumed(own_folder: Path) -> None:
    home = Home.locate()
    with serving(home, own_folder, ServeOptions()) as served, client_of(served) as client:
        wait_until(lambda: refusal_code(client) == "")
        write_command(served.folder, "pause")
        wait_until(lambda: refusal_code(client) == "server_paused")
        write_command(served.folder, "run")
        wait_until(lambda: refusal_code(client) == "")


def test_stop_ends_the_server_at_once_and_informs_its_clients(
    own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home.locate()
    with serving(home, own_folder, ServeOptions()) as served, client_of(served) as client:
        wait_until(lambda: refusal_code(client) == "")
        step = Answerer.step

        def step_and_stop(answerer: Answerer) -> None:  # in the middle of an answer, however busy the machine is
            step(answerer)
            served.flag.up = answerer.busy

        monkeypatch.setattr(Answerer, "step", step_and_stop)
        with pytest.raises(openai.APIError, match="stopping"):
            list(
                client.chat.completions.create(
                    model="run-1", messages=HELLO, max_tokens=1900, temperature=2, seed=3, stream=True
                )
            )
        served.thread.join(30)
        assert not served.thread.is_alive()
        assert isinstance(served.errors[0], JobStopped)
        assert not (served.folder / "server.json").exists()
        with pytest.raises(openai.APIConnectionError):
            answer(client)


def test_idle_server_ends(own_folder: Path) -> None:
    with serving(Home.locate(), own_folder, ServeOptions(idle_minutes=0.001)) as served:
        served.thread.join(30)
        assert not served.thread.is_alive()
    assert served.errors == []
    assert not (served.folder / "server.json").exists()
    notes = [e.event.text for e in Follower(served.folder).read_new() if isinstance(e.event, Note)]
    assert notes == ["There were no requests for 0.001 minutes."]


def test_token_is_in_one_private_file_and_nowhere_else(own_folder: Path) -> None:
    home = Home.locate()
    with serving(home, own_folder, ServeOptions()) as served, client_of(served) as client:
        wait_until(lambda: refusal_code(client) == "")
        token = served.address.token
        with pytest.raises(openai.NotFoundError):
            client.chat.completions.create(model=token, messages=HELLO)
        file = served.folder / "server.json"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
        assert token not in repr(served.address)
        holders = [
            path
            for root in (own_folder, home.state)
            for path in root.rglob("*")
            if path.is_file() and token.encode() in path.read_bytes()
        ]
        assert holders == [file]


def test_requested_port_is_used_and_a_taken_one_is_reported(
    own_folder: Path, tmp_path: Path, make_served_project: Callable[[Home], Path]
) -> None:
    home = Home.locate()
    with serving(home, own_folder, ServeOptions()) as first:
        port = int(first.address.base_url.rpartition(":")[2].removesuffix("/v1"))
        other_home = Home.locate(tmp_path / "other")
        other = make_served_project(other_home)
        with serving(other_home, other, ServeOptions(port=port), wait=False) as second:
            second.thread.join(30)
        assert isinstance(second.errors[0], JobError)
        assert f"127.0.0.1:{port}" in second.errors[0].message
    with serving(other_home, other, ServeOptions(port=port)) as again:
        assert again.address.base_url == f"http://127.0.0.1:{port}/v1"


def test_port_is_taken_as_soon_as_the_server_exists() -> None:
    with Server(0) as first, pytest.raises(JobError, match="Cannot open the port"):
        Server(int(first.base_url.rpartition(":")[2].removesuffix("/v1")))


def test_base_comes_from_the_named_run_the_newest_or_the_project(own_folder: Path, base: Path) -> None:
    home = Home.locate()
    with Project.open(own_folder, home) as project:
        assert base_of(project, ServeOptions()) == project.runs.get(2).config
        assert base_of(project, ServeOptions(run_id=1)) == project.runs.get(1).config
    with Project.create(home.projects / "bare", home=home) as bare:
        assert base_of(bare, ServeOptions()).base == "starter"


def test_running_server_does_not_change_the_release_station(own_folder: Path) -> None:
    with serving(Home.locate(), own_folder, ServeOptions()), Project.open(own_folder) as project:
        states = {station.name: station.state for station in read_stations(project)}
        assert states["release"] == "ready"
