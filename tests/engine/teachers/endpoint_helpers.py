"""Helpers that ask a misbehaving server through the endpoint teacher, with short time limits."""

from engine.records.options import TeacherSpec
from engine.records.prompt import Message
from engine.teachers.endpoint import EndpointAnswer, EndpointLimits, EndpointTeacher
from tests.engine.teachers.hostile_server import Behaviour, HostileServer

CANARY = "sk-canary-0123456789abcdefghij"
QUICK = EndpointLimits(connect_s=2, first_byte_s=0.5, stall_s=0.3, total_s=2, response_bytes=4_000_000, tries=2,
                       longest_wait_s=0.05)  # fmt: skip
QUESTION = (Message("system", "Be kind."), Message("user", "How are you?"))


async def ask(server: HostileServer, *behaviours: Behaviour, limits: EndpointLimits = QUICK) -> EndpointAnswer:
    server.behaviours = list(behaviours)
    async with EndpointTeacher(TeacherSpec("endpoint", "peer", server.url), CANARY, limits=limits) as teacher:
        return await teacher.answer(QUESTION, temperature=0.5, max_tokens=64)
