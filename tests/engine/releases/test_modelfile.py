"""The Modelfile's template, read by a small reader of Go's templates and, where it is installed, by Go itself."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.model.chat_format import ChatFormat
from engine.model.turn_texts import TurnTexts
from engine.records.prompt import Message
from engine.releases.modelfile import go_template, modelfile
from tests.families import FAMILIES
from tests.tiny import make_tiny_family

CONVERSATIONS = [
    [Message("user", "Hi")],
    [Message("user", 'a "b" {{ .c }}'), Message("assistant", "\\n ü 🙂"), Message("user", "<|im_end|>\n\nx")],
    [Message("system", "Be brief."), Message("user", "Hi"), Message("assistant", "Ho"), Message("user", "Ha")],
    [Message("user", "Hi"), Message("assistant", "Once upon")],
]
GO = """package main
import ("encoding/json"; "os"; "text/template")
type message struct { Role, Content string }
func main() {
	var told struct { Template string; Conversations [][]message }
	if err := json.NewDecoder(os.Stdin).Decode(&told); err != nil { panic(err) }
	parsed := template.Must(template.New("").Option("missingkey=zero").Parse(told.Template))
	for _, messages := range told.Conversations {
		if err := parsed.Execute(os.Stdout, map[string]any{"Messages": messages}); err != nil { panic(err) }
		os.Stdout.WriteString("\\x00")
	}
}
"""
ACTION = re.compile(r'\{\{ ((?:"(?:[^"\\]|\\.)*"|[^"])*?) \}\}', re.DOTALL)
TEXT = st.text(alphabet=st.characters(exclude_categories=("Cs",)), max_size=12)


def read(template: str, messages: list[Message]) -> str:
    """What Go writes, for the few of its words that stand in a Modelfile of ours."""
    pieces = ACTION.split(template)
    assert not "".join(pieces[::2]), "text outside of the actions"
    actions = pieces[1::2]
    begin, end = actions.index("range .Messages"), len(actions) - 2
    known: dict[str, str] = {}
    written: list[str] = []

    def value(word: str) -> str:
        text = known[word] if word in known else json.loads(word)
        assert isinstance(text, str)
        return text

    def carry_out(steps: list[str], message: Message | None) -> None:
        taken = done = True
        for step in steps:
            if (asked := re.fullmatch(r'(else )?if eq \.Role "(\w+)"', step)) is not None:
                assert message is not None
                done = bool(asked[1]) and (done or taken)
                taken = not done and message.role == asked[2]
            elif step == "end":
                taken = True
            elif not taken:
                continue
            elif (told := re.fullmatch(r"(\$\w+) :?= (.*)", step, re.DOTALL)) is not None:
                known[told[1]] = value(told[2])
            else:
                written.append(message.content if message is not None and step == ".Content" else value(step))

    carry_out(actions[:begin], None)
    for message in messages:
        carry_out(actions[begin + 1 : end], message)
    carry_out(actions[end + 1 :], None)
    return "".join(written)


@pytest.fixture(scope="module", params=FAMILIES)
def chat(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ChatFormat:
    return ChatFormat.load(make_tiny_family(tmp_path_factory.mktemp("family") / request.param, FAMILIES[request.param]))


def texts_of(chat: ChatFormat) -> TurnTexts:
    texts = chat.turn_texts
    assert texts is not None
    return texts


def test_ollama_writes_what_the_student_was_trained_on_less_the_token_that_it_puts_in_front(chat: ChatFormat) -> None:
    template = go_template(texts_of(chat), chat.begin_token)
    assert "\n" not in template
    for messages in CONVERSATIONS[:2]:
        ours, theirs = chat.question_text(messages), read(template, messages)
        once = bool(chat.begin_token) and ours.startswith(chat.begin_token) and ours.count(chat.begin_token) == 1
        assert theirs == (ours.removeprefix(chat.begin_token) if once else ours)


@given(texts=st.lists(TEXT, min_size=6, max_size=6), said=st.lists(TEXT, min_size=3, max_size=3))
def test_any_text_around_turns_is_written_as_it_is(texts: list[str], said: list[str]) -> None:
    first, to_answer, to_user, lead, before_system, after_system = texts
    around = TurnTexts(first, to_answer, to_user, lead, (before_system, after_system))
    messages = [Message("user", said[0]), Message("assistant", said[1]), Message("user", said[2])]
    assert read(go_template(around), messages) == around.render(messages)
    told = read(go_template(around), [Message("system", "s"), Message("user", "u")])
    assert told == f"{before_system}s{after_system}u{lead}"
    assert read(go_template(around), [Message("user", "u"), Message("assistant", "a")]) == f"{first}u{to_answer}a"


def test_a_system_message_that_the_model_does_not_take_is_no_turn() -> None:
    around = TurnTexts("<u>", "<a>", "<u>", "<=>", None)
    assert read(go_template(around), [Message("system", "s"), Message("user", "u")]) == "<u>u<=>"


def test_the_file_samples_as_was_measured_and_ends_where_the_student_ends() -> None:
    around = TurnTexts("<u>", "<a>", "<u>", "<=>", None)
    text = modelfile("model.gguf", around, "<s>", ["<end>", '"', "\n"], 0.7)
    assert text.splitlines()[2] == "FROM ./model.gguf"
    assert [line for line in text.splitlines() if line.startswith("PARAMETER")] == [
        "PARAMETER temperature 0.7", "PARAMETER top_k 0", "PARAMETER top_p 1", "PARAMETER min_p 0",
        "PARAMETER repeat_penalty 1", 'PARAMETER stop "<end>"',
    ]  # fmt: skip
    assert "SYSTEM" not in text
    found = re.search(r'TEMPLATE """(.*)"""\n', text)
    assert found is not None
    assert '"""' not in found[1]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("go") is None, reason="go is not installed")
def test_go_reads_it_as_the_small_reader_does(chat: ChatFormat, tmp_path: Path) -> None:
    program = tmp_path / "main.go"
    program.write_text(GO)
    template = go_template(texts_of(chat), chat.begin_token)
    told = [[{"Role": message.role, "Content": message.content} for message in each] for each in CONVERSATIONS]
    ran = subprocess.run(
        ["go", "run", str(program)],
        input=json.dumps({"Template": template, "Conversations": told}),
        capture_output=True, text=True, check=True, cwd=tmp_path,
    )  # fmt: skip
    assert ran.stdout.split("\0")[:-1] == [read(template, messages) for messages in CONVERSATIONS]
