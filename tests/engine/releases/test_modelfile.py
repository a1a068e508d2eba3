"""The Modelfile and its template, rendered by a small interpreter of Go templates and, if installed, by Go itself."""

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
	var input struct { Template string; Conversations [][]message }
	if err := json.NewDecoder(os.Stdin).Decode(&input); err != nil { panic(err) }
	parsed := template.Must(template.New("").Option("missingkey=zero").Parse(input.Template))
	for _, messages := range input.Conversations {
		if err := parsed.Execute(os.Stdout, map[string]any{"Messages": messages}); err != nil { panic(err) }
		os.Stdout.WriteString("\\x00")
	}
}
"""
ACTION = re.compile(r'\{\{ ((?:"(?:[^"\\]|\\.)*"|[^"])*?) \}\}', re.DOTALL)
TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=12)


def render(template: str, messages: list[Message]) -> str:
    """Render a Go template; covers only the actions that our Modelfiles use."""
    pieces = ACTION.split(template)
    assert not "".join(pieces[::2]), "there is text outside the actions"
    actions = pieces[1::2]
    begin, end = actions.index("range .Messages"), len(actions) - 2
    known: dict[str, str] = {}
    written: list[str] = []

    def value(word: str) -> str:
        text = known[word] if word in known else json.loads(word)
        assert isinstance(text, str)
        return text

    def run_steps(steps: list[str], message: Message | None) -> None:
        active = earlier_taken = True
        for step in steps:
            if (condition := re.fullmatch(r'(else )?if eq \.Role "(\w+)"', step)) is not None:
                assert message is not None
                earlier_taken = bool(condition[1]) and (earlier_taken or active)
                active = not earlier_taken and message.role == condition[2]
            elif step == "end":
                active = True
            elif not active:
                continue
            elif (assignment := re.fullmatch(r"(\$\w+) :?= (.*)", step, re.DOTALL)) is not None:
                known[assignment[1]] = value(assignment[2])
            else:
                written.append(message.content if message is not None and step == ".Content" else value(step))

    run_steps(actions[:begin], None)
    for message in messages:
        run_steps(actions[begin + 1 : end], message)
    run_steps(actions[end + 1 :], None)
    return "".join(written)


@pytest.fixture(scope="module", params=FAMILIES)
def chat(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ChatFormat:
    return ChatFormat.load(make_tiny_family(tmp_path_factory.mktemp("family") / request.param, FAMILIES[request.param]))


def texts_of(chat: ChatFormat) -> TurnTexts:
    texts = chat.turn_texts
    assert texts is not None
    return texts


def test_template_renders_the_training_text_without_the_begin_token_that_ollama_adds(chat: ChatFormat) -> None:
    template = go_template(texts_of(chat), chat.begin_token)
    assert "\n" not in template
    for messages in CONVERSATIONS[:2]:
        trained, rendered = chat.question_text(messages), render(template, messages)
        begins_once = (
            bool(chat.begin_token) and trained.startswith(chat.begin_token) and trained.count(chat.begin_token) == 1
        )
        assert rendered == (trained.removeprefix(chat.begin_token) if begins_once else trained)


@given(texts=st.lists(TEXT, min_size=6, max_size=6), contents=st.lists(TEXT, min_size=3, max_size=3))
def test_any_text_around_turns_is_rendered_unchanged(texts: list[str], contents: list[str]) -> None:
    first, to_answer, to_user, lead, before_system, after_system = texts
    around = TurnTexts(first, to_answer, to_user, lead, (before_system, after_system))
    messages = [Message("user", contents[0]), Message("assistant", contents[1]), Message("user", contents[2])]
    assert render(go_template(around), messages) == around.render(messages)
    with_system = render(go_template(around), [Message("system", "s"), Message("user", "u")])
    assert with_system == f"{before_system}s{after_system}u{lead}"
    assert render(go_template(around), [Message("user", "u"), Message("assistant", "a")]) == f"{first}u{to_answer}a"


def test_system_message_is_omitted_if_the_model_does_not_support_it() -> None:
    around = TurnTexts("<u>", "<a>", "<u>", "<=>", None)
    assert render(go_template(around), [Message("system", "s"), Message("user", "u")]) == "<u>u<=>"


def test_modelfile_samples_as_measured_and_stops_at_the_end_token() -> None:
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
def test_go_renders_the_template_like_the_small_interpreter(chat: ChatFormat, tmp_path: Path) -> None:
    program = tmp_path / "main.go"
    program.write_text(GO)
    template = go_template(texts_of(chat), chat.begin_token)
    conversations = [[{"Role": message.role, "Content": message.content} for message in each] for each in CONVERSATIONS]
    ran = subprocess.run(
        ["go", "run", str(program)],
        input=json.dumps({"Template": template, "Conversations": conversations}),
        capture_output=True, text=True, check=True, cwd=tmp_path,
    )  # fmt: skip
    assert ran.stdout.split("\0")[:-1] == [render(template, messages) for messages in CONVERSATIONS]
