"""Questions written by the teacher: first topics that cover the prompt, then questions for each topic.

The teacher gets the prompt as quoted text, so that it writes what users send instead of answering. The reply is
untrusted text: whatever looks like a list is read, and repeats and copies of the prompt's own examples are left out.
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
IMPROVEMENT = "improvement"  # source of questions written like existing ones
MAX_REPLY_CHARACTERS = 200_000
MAX_ITEM_CHARACTERS = 2_000
MAX_TOPIC_CHARACTERS = 120
_TOPIC_ATTEMPTS = 3
_LEAST_REPLY_TOKENS, _TOKENS_A_TOPIC, _TOKENS_A_QUESTION = 512, 12, 48  # generous: most need a third of this

# Five kinds of seed (structure, summary, question, use case, creative) keep the messages from sounding alike.
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
    """Iterate over the topics, each with up to `per_topic` new questions; the teacher may give fewer, or none.

    `ask` answers a message list. It is called once per topic, lazily. `seed` orders the kinds of question in each
    request. Raises whatever `ask` raises.
    """
    # A reproducible seeded order, not a secret.
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
    """Iterate over `questions`, each with up to `count` similar training questions, none of them in `questions`.

    They get a separate topic, so that a later split never groups them with their originals. Raises whatever `ask`
    raises.
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
    """Return up to `count` different topics of the prompt, none in `known`. Raises TeacherError if there are none."""
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
            f"None of its {_TOPIC_ATTEMPTS} replies contained a list of {'other ' if known else ''}topics.",
            "Try a larger teacher, or import questions instead.",
        )
    return tuple(found[:count])


def reply_tokens(topics: int, per_topic: int) -> int:
    """Return the token limit for a reply, which must be generous: a cut list silently loses its end."""
    return max(_LEAST_REPLY_TOKENS, _TOKENS_A_TOPIC * topics, _TOKENS_A_QUESTION * per_topic)


def parse_list(text: str) -> tuple[str, ...]:
    """Return the items of a reply: a JSON list (also in a code fence), else marked lines, else plain lines.

    If any line has a number or a bullet, unmarked lines continue the item before them if they are indented, and are
    skipped otherwise. Items that are empty, longer than `MAX_ITEM_CHARACTERS` or not valid text are left out.
    """
    text = text[:MAX_REPLY_CHARACTERS]
    items = _json_items(text)
    if items is None:
        items = _line_items(text)
    return tuple(cleaned for item in items if (cleaned := _clean(item)))


def without_last_item(reply: str) -> str:
    """Return a cut reply without its last item, which may be incomplete."""
    lines = reply.rstrip().splitlines()
    marked = [number for number, line in enumerate(lines) if _MARKER.match(line)]
    return "\n".join(lines[: marked[-1] if marked else -1])


def _different(items: Iterable[str], seen: set[str]) -> list[str]:
    """Return the items whose words differ from those in `seen` and of earlier items."""
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
        # A line that opens a JSON list is here because the list could not be parsed: it is not a question.
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
