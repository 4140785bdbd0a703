"""The interactive session: prompts, settings between them, Ctrl-C and Ctrl-D, and a history that stays."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time

import pytest
from command_line import PATIENCE
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

import elman
from elman import generation
from elman.cli.interactive.session import Session
from elman.cli.interactive.steps import Steps, colour, coloured

pytestmark = pytest.mark.usefixtures("default_signals")

TEXT = "the traveller came down to the sea.\n"


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture(scope="module")
def model():
    return elman.build_model(elman.Corpus("t", TEXT, "none", "here"), hidden_size=8, init_std=None)


@pytest.fixture
def talk(model, capsys):
    """Type keys into a session; the lines that it writes, and those on standard error."""

    def call(keys, **settings):
        with create_pipe_input() as keyboard, create_app_session(input=keyboard, output=DummyOutput()):
            keyboard.send_text(keys + "\x04")
            Session(model, **settings).run()
        captured = capsys.readouterr()
        return captured.out.split("\n")[1:-1], captured.err.split("\n")[:-1]

    return call


def answer(model, prompt, length, seed=0, **settings):
    return f"{prompt}{elman.generate(model, prompt, length, seed=seed, **settings)}"


def test_prompts_are_answered_each_time_anew(model, talk):
    lines, errors = talk("the\rthe\r/seed 0\rthe\r", length=9, allowed="the sa")
    first, second = (answer(model, "the", 9, seed, allowed="the sa") for seed in (0, 1))
    assert lines == [first, second, "seed 0", first]
    assert first != second
    assert not errors


def test_settings_change_between_prompts(model, talk):
    lines, errors = talk("/temperature 0\r/length 12\rt\r/top-k 3\r/top-k off\r/stop 'a b' c\r/reset\r/temperature\r")
    assert lines[:2] == ["temperature 0.0", "length 12"]
    assert "\n".join(lines[2:]).startswith(answer(model, "t", 12, temperature=0))
    assert lines[-4:] == ["top-k 3", "top-k off", "stop ['a b', 'c']", "temperature 1.0"]
    assert not errors


def test_what_is_wrong_is_said_and_changes_nothing(talk):
    wrong = (
        "/top-p 1.5",
        "/temperature warm",
        "/length 1 2",
        "/frobnicate",
        "/allowed ż",
        "/stop 'open",
        "/logit-bias ee",
    )
    lines, errors = talk("".join(f"{line}\r" for line in wrong) + "/settings\r")
    assert [line.removeprefix("elman: ") for line in errors] == [
        "/top-p must be in (0, 1], got 1.5",
        "/temperature: expected a number, got 'warm'",
        "/length: expected one value",
        "no command /frobnicate; /help lists them",
        "/allowed: the model has no character 'ż'",
        "No closing quotation",
        "/logit-bias takes CHAR=VALUE, such as e=-2 or z=-inf; got 'ee'",
    ]
    assert lines[:3] == ["length 200", "temperature 1.0", "alpha 1.0"]
    assert {"top-p off", "allowed off", "stop off", "logit-bias off"} <= set(lines)


def test_help_and_a_slash_of_ones_own(model, talk):
    lines, errors = talk("/help\r//x\r", length=3, allowed="t")
    assert any("/repetition-penalty" in line for line in lines)
    assert lines[-1] == "/xttt"
    assert errors == ["elman: the model has never seen '/x'; read as <unk>"]


def test_a_line_end_can_be_a_stop_string(talk):
    lines, errors = talk("/stop \\n '#\\n b'\r/length x\r/top-p y\r")
    assert lines == ["stop ['\\n', '#\\n b']"]
    assert errors == [
        "elman: /length: expected a whole number, got 'x'",
        "elman: /top-p: expected a number, got 'y'",
    ]


def test_ctrl_c_stops_the_answer_and_not_the_session(talk, monkeypatch):
    def endless(*_, **__):
        yield "tt"
        raise KeyboardInterrupt

    monkeypatch.setattr(generation, "stream", endless)
    lines, _ = talk("a\rb\r")
    assert lines == ["att", "btt"]
    assert talk("half a line\x03/seed\r")[0] == ["seed 0"]


def test_the_history_stays(talk, state):
    talk("the sea\r", length=1)
    assert "+the sea" in (state / "elman" / "history").read_text()
    assert talk("\x1b[A\r", length=1, allowed="t")[0] == ["the seat"]


def test_a_state_folder_that_cannot_be_written_costs_only_the_history(talk, state):
    state.write_text("a file, not a folder")
    assert talk("a\r", length=1, allowed="t")[0] == ["at"]


def test_on_a_real_terminal(model, tmp_path):
    elman.save(model, tmp_path / "m")
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "elman.cli", "generate", str(tmp_path / "m"), "--interactive", "--allowed", "th"]
    environment = {**os.environ, "PROMPT_TOOLKIT_NO_CPR": "1", "TERM": "xterm"}
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    shown = ""

    def expect(text):
        nonlocal shown
        end = time.monotonic() + PATIENCE
        while text not in shown:
            ready, _, _ = select.select([ours], [], [], max(0.0, end - time.monotonic()))
            assert ready, shown[-500:]
            shown += os.read(ours, 1 << 16).decode("utf-8", "replace")
        shown = shown.partition(text)[2]

    expect("Ctrl-D leaves")
    expect(">")
    os.write(ours, b"/length 1000000000\r")
    expect("length 1000000000\r\n")
    os.write(ours, b"\r")
    for letter in "th" * 20:
        expect(letter)
    process.send_signal(signal.SIGINT)
    expect(">")
    os.write(ours, b"/alpha\r")
    expect("alpha 1.0")
    expect(">")
    os.write(ours, b"\x04")
    assert process.wait(PATIENCE) == 0
    os.close(ours)


def test_step_by_step(model, talk):
    def choices(text):
        return [token for token, _ in elman.after(model, text, 9)]

    second = choices("the")[1]
    keys = "/step the\r2\r=1\r sea\r\r/undo\r/undo\r/done\r"
    lines, errors = talk(keys)
    expected = [f"the{second}", f"the{second}1", f"the{second}1 sea"]
    likeliest = next(c for c in choices(expected[2]) if len(c) == 1)
    for text in ("the", *expected, expected[2] + likeliest):
        assert text.replace("\n", "\\n") in lines
    assert lines[-1] == expected[1]
    assert errors == ["elman: the model has never seen '1'; read as <unk>"]
    bits = elman.score(model, "the").bits
    at = lines.index("the")
    assert lines[at + 1] == f"3 characters, {bits:.1f} bits"
    names = {" ": "space", "\n": "line end"}
    for number, (token, p) in enumerate(elman.after(model, "the", 9), 1):
        row = lines[at + 1 + number]
        assert row.startswith(f"{number}  {names.get(token, token):<9} {100 * p:6.2f} %  ")


def test_steps_of_a_record_and_what_is_no_command(talk, capsys):
    model = elman.build_model(elman.Corpus("t", TEXT, "none", "here", True), hidden_size=8, init_std=None)
    steps = Steps(model, "the")
    steps.take("\\n", [])
    assert steps.text == "the\n"
    steps.take("", ["", "b"])
    steps.take("3", ["a", "b", "c"])
    steps.take("/wrong", ["a"])
    assert steps.text == "the\nbc"
    assert steps._show() == [t if len(t) == 1 else "" for t, _ in elman.after(model, "bc", 9)]
    captured = capsys.readouterr()
    bits = elman.score(model, "the\nbc\n").surprisal[:6].sum()
    assert captured.out.split("\n")[:2] == ["the\\nbc", f"6 characters, {bits:.1f} bits"]
    assert captured.err.startswith("elman: no command /wrong; 1-9: take that one")


def test_colours_follow_the_cost():
    assert [colour(bits) for bits in (0, 0.99, 1, 3, 6, 99)] == [
        "green",
        "green",
        "yellow",
        "dark_orange",
        "red",
        "red",
    ]
    text = coloured("a\x1b", [0.1, 9.0])
    assert (text.plain, [span.style for span in text.spans]) == ("a\\x1b", ["green", "red"])
