"""Questions written by the teacher: topics over the prompt first, then questions for each topic.

The prompt reaches the teacher as quoted text, so that it writes what users send instead of answering. What comes back
is hostile text: any list is read as far as it is one, repeats and copies of the prompt's own examples are left out.
Knows nothing of models or of the store.
"""

import json
import random
import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from engine.errors import TeacherError
from engine.prompts.chat_json import ChatProblemError, clean_content
from engine.prompts.documents import prompt_to_markdown
from engine.records.prompt import Message, Prompt
from engine.records.question import Question

SOURCE = "synthesis"
IMPROVEMENT = "improvement"  # the source of questions that were written like others
MAX_REPLY_CHARACTERS = 200_000
MAX_ITEM_CHARACTERS = 2_000
MAX_TOPIC_CHARACTERS = 120
_TOPIC_ATTEMPTS = 3
_LEAST_REPLY_TOKENS, _TOKENS_A_TOPIC, _TOKENS_A_QUESTION = 512, 12, 48  # generous: most take a third of these

# The five kinds of seed (structure, summary, question, use case, creative) keep the messages from all sounding alike.
SEED_KINDS = (
    "asks for something in a given form, such as steps, a list or a comparison",
    "tells something at length and asks to sum it up or to make sense of it",
    "a plain, short question",
    "describes the user's own situation and asks what to do",
    "an unusual or playful way to raise the topic",
)
TOPICS_REQUEST = """Below, between the lines of dashes, are the instructions of an assistant.
-----
{prompt}
-----
Name {count} different topics that its users would write about. Cover what the instructions speak of, and also what \
they only touch on. Answer with a numbered list, one short topic a line, and nothing else.{known}"""
QUESTIONS_REQUEST = """Below, between the lines of dashes, are the instructions of an assistant.
-----
{prompt}
-----
Write {count} different messages that users could send to it about this topic: {topic}
Vary them among these kinds:
{kinds}
Do not answer them. Answer with a numbered list, one message a line, and nothing else."""

ALIKE_REQUEST = """Below, between the lines of dashes, are the instructions of an assistant.
-----
{prompt}
-----
It answers messages like this one badly:
-----
{question}
-----
Write {count} different messages that users could send to it and that are as hard in the same way: other facts, other \
words, the same kind of matter. Do not answer them. Answer with a numbered list, one message a line, and nothing \
else."""

_MARKER = re.compile(r"\s*(?:[-*•–—]|\(?\d{1,4}[.):]|[A-Za-z][.)])\s+")
_OPENS_JSON = re.compile(r"""\s*[\[{]\s*(?:["'\[{]|$)""")
_FENCE = re.compile(r"```[ \t]*[a-zA-Z]*\s*?\n(.*?)```", re.DOTALL)
_QUOTES = {'"': '"', "'": "'", "“": "”", "«": "»", "`": "`"}
_WORDS = re.compile(r"\w+")


def write_questions(
    ask: Callable[[Sequence[Message]], str], prompt: Prompt, topics: Iterable[str], per_topic: int, seed: int
) -> Iterator[tuple[str, tuple[Question, ...]]]:
    """Each topic with up to `per_topic` questions, different from all before; the teacher may give fewer, or none.

    `ask` answers a message list; each topic costs one call, made when its turn comes. `seed` orders the kinds of
    question in each request. Raises whatever `ask` raises; what came before is kept by whoever took it.
    """
    # A seeded order that anyone can repeat, not a secret.
    draw = random.Random(seed)  # noqa: S311
    text = prompt_to_markdown(prompt)
    seen = {_key(turn.content) for turn in prompt.example_turns if turn.role == "user"}
    for topic in topics:
        kinds = "\n".join(f"- {kind}" for kind in draw.sample(SEED_KINDS, len(SEED_KINDS)))
        request = QUESTIONS_REQUEST.format(prompt=text, count=per_topic, topic=topic, kinds=kinds)
        fresh = _different(parse_list(ask([Message("user", request)])), seen)[:per_topic]
        seen.update(_key(item) for item in fresh)
        yield topic, tuple(Question((Message("user", item),), topic=topic, source=SOURCE) for item in fresh)


def write_alike(
    ask: Callable[[Sequence[Message]], str], prompt: Prompt, questions: Sequence[Question], count: int
) -> Iterator[tuple[Question, tuple[Question, ...]]]:
    """Each question with up to `count` training questions of its kind, none of them one of `questions`.

    They have a topic of their own, so that a later split never puts them with the questions that they are like.
    Raises whatever `ask` raises.
    """
    text = prompt_to_markdown(prompt)
    seen = {_key(question.text) for question in questions}
    for question in questions:
        request = ALIKE_REQUEST.format(prompt=text, question=question.text, count=count)
        fresh = _different(parse_list(ask([Message("user", request)])), seen)[:count]
        seen.update(_key(item) for item in fresh)
        topic = f"like {question.topic or f'question {question.id}'}"
        yield (
            question,
            tuple(Question((Message("user", item),), topic=topic, source=IMPROVEMENT, split="train") for item in fresh),
        )


def name_topics(
    ask: Callable[[Sequence[Message]], str], prompt: Prompt, count: int, known: Sequence[str] = ()
) -> tuple[str, ...]:
    """Up to `count` different topics over the prompt, none of `known`. Raises TeacherError where none can be read."""
    text = prompt_to_markdown(prompt)
    found: list[str] = []
    for _ in range(_TOPIC_ATTEMPTS):
        named = [*known, *found]
        left_out = "\nLeave out these: " + "; ".join(named) if named else ""
        request = TOPICS_REQUEST.format(prompt=text, count=count - len(found), known=left_out)
        items = (item for item in parse_list(ask([Message("user", request)])) if len(item) <= MAX_TOPIC_CHARACTERS)
        found += _different((item.rstrip(".:; ") for item in items), {_key(topic) for topic in named})
        if len(found) >= count:
            break
    if not found:
        raise TeacherError(
            "The teacher named no topics.",
            f"None of its {_TOPIC_ATTEMPTS} replies held a list of {'other ' if known else ''}topics.",
            "Try a larger teacher, or import questions instead.",
        )
    return tuple(found[:count])


def reply_tokens(topics: int, per_topic: int) -> int:
    """The most that one reply may have: a list that is cut would lose its end without a word."""
    return max(_LEAST_REPLY_TOKENS, _TOKENS_A_TOPIC * topics, _TOKENS_A_QUESTION * per_topic)


def parse_list(text: str) -> tuple[str, ...]:
    """The items of a reply: a JSON list (also in a code fence), else marked lines, else plain lines.

    Where any line carries a number or a bullet, lines before the first one are talk, and a line without one goes on
    with the item before it if it is indented. Items that are empty, longer than `MAX_ITEM_CHARACTERS` or no sound text
    are left out.
    """
    text = text[:MAX_REPLY_CHARACTERS]
    items = _json_items(text)
    if items is None:
        items = _line_items(text)
    return tuple(cleaned for item in items if (cleaned := _clean(item)))


def without_last_item(reply: str) -> str:
    """What a reply that was cut holds for certain: all before its last item, which may be half of one."""
    lines = reply.rstrip().splitlines()
    marked = [number for number, line in enumerate(lines) if _MARKER.match(line)]
    return "\n".join(lines[: marked[-1] if marked else -1])


def _different(items: Iterable[str], seen: set[str]) -> list[str]:
    """The items whose words are neither in `seen` nor those of an earlier item."""
    fresh: dict[str, str] = {}
    for item in items:
        key = _key(item)
        if key and key not in seen:
            fresh.setdefault(key, item)
    return list(fresh.values())


def _key(text: str) -> str:
    return " ".join(_WORDS.findall(text.casefold()))


def _json_items(text: str) -> list[str] | None:
    fenced = _FENCE.search(text)
    body = (fenced.group(1) if fenced else text).strip()
    if body[:1] not in ("[", "{"):
        return None
    try:
        value: object = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if isinstance(value, dict):  # {"questions": […]}
        value = next((part for part in value.values() if isinstance(part, list)), None)
    if not isinstance(value, list):
        return None
    # [{"question": "…"}, …]
    parts = [next(iter(part.values()), None) if isinstance(part, dict) else part for part in value]
    return [part for part in parts if isinstance(part, str)]


def _line_items(text: str) -> list[str]:
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("```")]
    if not any(_MARKER.match(line) for line in lines):
        # A line that opens a JSON list stands here because the list could not be read: it is no question.
        return [line for line in lines if not line.rstrip().endswith(":") and not _OPENS_JSON.match(line)]
    items: list[str] = []
    for line in lines:
        marker = _MARKER.match(line)
        if marker:
            items.append(line[marker.end() :])
        elif items and line[:1] in (" ", "\t"):
            items[-1] += " " + line.strip()
    return items


def _clean(item: str) -> str:
    try:
        item = clean_content(item)
    except ChatProblemError:
        return ""
    for mark in ("**", "__"):
        item = item.removeprefix(mark).removesuffix(mark) if item.startswith(mark) and item.endswith(mark) else item
    item = item.removesuffix(",").strip()
    if len(item) > 1 and item[-1] == _QUOTES.get(item[0]):
        item = item[1:-1].strip()
    return "" if "\0" in item or len(item) > MAX_ITEM_CHARACTERS else item
