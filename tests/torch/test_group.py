"""Processes connected by torch.distributed: one digest, and one line for whatever keeps them apart."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from command_line import PATIENCE, run
from ranks import Started, command, environment

from elman.errors import InputError, WorkerLost
from elman.parallel.launch import Place
from elman.runs import read_checkpoint

pytestmark = pytest.mark.usefixtures("default_signals")

LINES = "".join(f"{i} {'abc' * (i % 7)} the traveller, {i * i}\n" for i in range(60))
SETTINGS = """
    --epochs 2 --hidden-size 12 --batch-size 7 --seq-length 11 --sample-every 0 --init-std 0 --shards 3 --cell lstm
    --num-layers 2 --embedding-size 6 --dropout 0.2 --optimizer muon --average 0.9 --lr 0.01
""".split()  # noqa: SIM905


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("t.txt").write_text(LINES)
    return tmp_path


@pytest.fixture
def port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def together(size, port, *arguments, **more):
    """`elman ARGUMENTS` in each of so many processes: status, output and errors."""
    started = [Started(command, arguments, environment(rank, size, port, **more)) for rank in range(size)]
    return [process.wait() for process in started]


def until(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def swaps(rank, size, port):
    """What `exchange` and `gather` bring, of several lengths, none among them."""
    from elman.torch.group import TorchGroup

    group = TorchGroup(Place(rank, size, size, "127.0.0.1", port))
    with group.joined({"same": 1}):
        for length in (0, 1, 100_000):
            parts = [np.full(length * other, rank * 10 + other, dtype=np.float32) for other in range(size)]
            got = group.exchange(parts, [length * rank] * size)()
            for other, part in enumerate(got):
                np.testing.assert_array_equal(part, np.full(length * rank, other * 10 + rank, dtype=np.float32))
            data = [bytes([other]) * (length * other) for other in range(size)]
            assert group.gather(data[rank]) == data
        floats = (1 + 100_000) * sum(other for other in range(size) if other != rank)
        assert group.sent > 4 * floats
        assert group.waited > 0


def test_exchange_and_gather(port):
    started = [Started(swaps, (rank, 3, port), {}) for rank in range(3)]
    assert [process.wait() for process in started] == [(0, "", "")] * 3


@pytest.mark.parametrize("size", [2, 4, 7])
def test_processes_change_no_bit(size, folder, port):
    settings = [*SETTINGS, "--shards", "7"]
    one = run("train", "t.txt", *settings, "--output", "one")
    done = together(size, port, "train", "t.txt", *settings, "--output", "many")
    assert [status for status, _, _ in done] == [0] * size, done
    assert [(out, err) for _, out, err in done[1:]] == [("", "")] * (size - 1)  # the first one alone prints
    assert done[0][1].splitlines()[-1] == one.stdout.splitlines()[-1]
    assert Path("one/model.safetensors").read_bytes() == Path("many/model.safetensors").read_bytes()


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc to find the processes")
def test_workers_are_started_by_torchruns_launcher(folder):
    """One that is killed ends the run with one line. It goes on with one process, to the bit."""
    settings = [*SETTINGS, "--epochs", "40"]
    started = [sys.executable, "-m", "elman", "train", "t.txt", *settings, "--workers", "2", "--output", "r"]
    with subprocess.Popen([*started, "--save-every", "0.1"], stderr=subprocess.PIPE, text=True) as process:
        until(lambda: Path("r/model.safetensors").exists())
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        ranks = {Path(f"/proc/{pid}/environ").read_bytes().partition(b"\0RANK=")[2][:1]: int(pid) for pid in children}
        os.kill(ranks[b"1"], signal.SIGKILL)
        _, shown = process.communicate(timeout=PATIENCE)
    assert process.returncode == 2
    assert shown == "elman: process 1 of 2 was ended by signal 9; the last checkpoint is whole: go on with --resume\n"
    assert run("train", "--resume", "r").returncode == 0
    assert run("train", "t.txt", *settings, "--output", "whole").returncode == 0
    assert Path("r/model.safetensors").read_bytes() == Path("whole/model.safetensors").read_bytes()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent has died")
def test_workers_end_when_their_launcher_is_killed(folder):
    """And leave a whole checkpoint: a later one where each of them had the signal before another was gone."""
    arguments = [*SETTINGS, "--epochs", "99999", "--workers", "2", "--output", "r", "--save-every", "9999"]
    started = [sys.executable, "-m", "elman", "train", "t.txt", *arguments]
    with subprocess.Popen(started, stdout=subprocess.PIPE) as process:
        assert process.stdout
        while not process.stdout.readline().startswith(b"epoch"):
            assert process.poll() is None
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        assert len(children) >= 2
        process.kill()
        until(lambda: not any(alive(pid) for pid in children))
    assert read_checkpoint("r").run.recipe.epochs == 99999


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("victim", [0, 1, 2])
def test_a_killed_process_ends_the_others_with_one_line_each(victim, folder, port):
    settings = [*SETTINGS, "--epochs", "9999", "--output", "r"]
    started = [Started(command, ("train", "t.txt", *settings), environment(rank, 3, port)) for rank in range(3)]
    until(lambda: Path("r/checkpoint.safetensors").exists())
    started[victim].process.kill()
    done = [process.wait() for process in started]
    assert done.pop(victim)[0] == -signal.SIGKILL
    assert [status for status, _, _ in done] == [2, 2]
    for _, _, err in done:
        assert err.endswith("is gone; the last checkpoint is whole: go on with --resume\n")
        assert err.count("\n") == 1


def test_a_restart_by_torchrun_goes_on_to_the_bit(folder, port):
    """After SIGKILL of one, the same command with what torchrun --max-restarts sets; here with fewer processes."""
    command_line = ("train", "t.txt", *SETTINGS, "--epochs", "10", "--save-every", "0", "--output", "r")
    more = {"TORCHELASTIC_MAX_RESTARTS": "1", "TORCHELASTIC_RESTART_COUNT": "0"}
    started = [Started(command, command_line, environment(rank, 3, port, **more)) for rank in range(3)]
    until(lambda: Path("r/model.safetensors").exists())
    started[0].process.kill()
    assert [process.wait()[0] for process in started] == [-signal.SIGKILL, 2, 2]
    done = together(2, port, *command_line, TORCHELASTIC_MAX_RESTARTS="1", TORCHELASTIC_RESTART_COUNT="1")
    assert [status for status, _, _ in done] == [0, 0], done
    assert "\ngoing on after " in done[0][1]
    assert run("train", "t.txt", *SETTINGS, "--epochs", "10", "--output", "whole").returncode == 0
    assert Path("r/model.safetensors").read_bytes() == Path("whole/model.safetensors").read_bytes()
    for status, _, err in together(2, port, *command_line[:-2], TORCHELASTIC_MAX_RESTARTS="1"):
        line = "elman: with torchrun --max-restarts give --output, by which a restart finds the run\n"
        assert (status, err) == (2, line)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc to find the processes")
def test_torchrun_goes_on_after_each_of_its_processes_was_killed(folder):
    """`torchrun --max-restarts`: one after the other is killed by SIGKILL, and the run ends with the same bits."""
    size = 2
    settings = [*SETTINGS, "--epochs", "12"]
    started = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(size)]
    started += ["--max-restarts", str(size), "-m", "elman", "train", "t.txt", *settings, "--output", "r"]
    environment = os.environ | {"ELMAN_THREADS": "1"}
    killed = dict[int, int]()
    with (
        open("shown", "wb") as shown,
        subprocess.Popen([*started, "--save-every", "0"], stdout=shown, stderr=shown, env=environment) as process,
    ):
        for victim in range(size):
            until(lambda: process.poll() is not None or len(trained(process.pid, killed)) == size)
            before = saved()
            until(lambda before=before: process.poll() is not None or saved() != before)
            assert process.poll() is None, Path("shown").read_text()
            killed[victim] = trained(process.pid, killed)[victim]
            os.kill(killed[victim], signal.SIGKILL)
        assert process.wait(PATIENCE) == 0, Path("shown").read_text()
    assert len(killed) == size
    assert run("train", "t.txt", *settings, "--output", "whole").returncode == 0
    assert Path("r/model.safetensors").read_bytes() == Path("whole/model.safetensors").read_bytes()


def saved():
    """When the last checkpoint was written; None: not yet."""
    with suppress(FileNotFoundError):
        return Path("r/checkpoint.safetensors").stat().st_mtime_ns
    return None


def trained(parent, killed):
    """The living processes of a launcher, by rank, of its last start."""
    found = {}
    for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
        with suppress(OSError):
            pairs = (each.partition(b"=") for each in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"))
            values = {name: value for name, _, value in pairs}
            if b"RANK" in values and int(values[b"TORCHELASTIC_RESTART_COUNT"]) == len(killed) and alive(pid):
                found[int(values[b"RANK"])] = int(pid)
    return found


def test_a_signal_to_one_ends_all_after_the_same_step(folder, port):
    """To another than the first; the run then goes on with one process, to the bit."""
    settings = [*SETTINGS, "--epochs", "30"]
    started = [
        Started(command, ("train", "t.txt", *settings, "--output", "r"), environment(rank, 2, port))
        for rank in range(2)
    ]
    until(lambda: Path("r/checkpoint.safetensors").exists())
    started[1].process.terminate()
    done = [process.wait() for process in started]
    assert "the model is saved; elman train --resume r goes on" in done[0][1]
    assert done[1][0] == 128 + signal.SIGTERM
    assert [err for _, _, err in done] == ["", ""]
    assert run("train", "--resume", "r").returncode == 0
    assert run("train", "t.txt", *settings, "--output", "whole").returncode == 0
    assert Path("r/model.safetensors").read_bytes() == Path("whole/model.safetensors").read_bytes()


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="needs /proc to find the ports")
def test_a_stranger_at_the_ports_of_a_training_changes_nothing(folder, port):
    """Some connect to each port that torch and gloo opened, silent or with other bytes, and hang up or stay."""
    settings = [*SETTINGS, "--epochs", "10", "--save-every", "0"]
    started = [
        Started(command, ("train", "t.txt", *settings, "--output", "r"), environment(rank, 2, port))
        for rank in range(2)
    ]
    until(lambda: Path("r/checkpoint.safetensors").exists())
    opened = [where for each in started for where in listening(each.process.pid)]
    assert port in {number for _, number in opened}
    assert len(opened) >= 3  # the meeting point, and a port of gloo's in each process
    strangers = [socket.create_connection(where, PATIENCE) for where in opened for _ in range(3)]
    for _silent, rude, leaving in zip(*[iter(strangers)] * 3, strict=True):
        rude.sendall(b"GET / HTTP/1.1\r\n\r\n" + bytes(64))
        leaving.close()
    done = [process.wait() for process in started]
    assert [(status, err) for status, _, err in done] == [(0, ""), (0, "")]
    for stranger in strangers:
        stranger.close()
    assert run("train", "t.txt", *settings, "--output", "whole").returncode == 0
    assert Path("r/model.safetensors").read_bytes() == Path("whole/model.safetensors").read_bytes()


def listening(pid):
    """Addresses at which a process waits for connections, from /proc."""
    sockets, found = set(), []
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # of a file that it has closed meanwhile
            sockets.add(os.readlink(link))
    for family, table in ((socket.AF_INET, "tcp"), (socket.AF_INET6, "tcp6")):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            local, state, inode = (line.split()[k] for k in (1, 3, 9))
            if state == "0A" and f"socket:[{inode}]" in sockets:
                host, number = local.split(":")
                words = b"".join(bytes.fromhex(host[i : i + 8])[::-1] for i in range(0, len(host), 8))
                address = socket.inet_ntop(family, words)
                found.append(({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address), int(number, 16)))
    return found


@pytest.mark.parametrize(
    ("other", "line"),
    [
        (("t.txt", "--lr", "0.02"), "process 1 has another lr than process 0: 0.02, not 0.01; start all with the same"),
        (("u.txt", "--lr", "0.01"), "process 1 has another text's SHA-256 than process 0: "),
        (("t.txt", "--lr", "0.01", "--seed", "3"), "process 1 has another seed than process 0: 3, not 0; start all"),
    ],
)
def test_processes_that_train_something_else(folder, port, other, line):
    Path("u.txt").write_text(LINES.replace("traveller", "travelled"))
    started = []
    for rank, own in enumerate((("t.txt", "--lr", "0.01"), other)):
        arguments = ("train", *SETTINGS[:-2], *own, "--output", "r")
        started.append(Started(command, arguments, environment(rank, 2, port)))
    for status, _, err in [process.wait() for process in started]:
        assert (status, err.count("\n")) == (2, 1), err
        assert err.startswith(f"elman: {line}"), err


def of_another_version(*arguments):
    from elman.training import loop

    loop.__version__ = "0.0.1"
    command(*arguments)


def test_processes_of_other_versions(folder, port):
    arguments = ("train", "t.txt", *SETTINGS, "--output", "r")
    works = (command, of_another_version)
    started = [Started(work, arguments, environment(rank, 2, port)) for rank, work in enumerate(works)]
    for status, _, err in [process.wait() for process in started]:
        assert (status, err.count("\n")) == (2, 1), err
        assert err.startswith("elman: process 1 has another version of Elman than process 0: 0.0.1, not "), err
    assert not Path("r/checkpoint.safetensors").exists()


def meets(rank, size, address, port, seconds):
    from elman.torch.group import TorchGroup

    try:
        with TorchGroup(Place(rank, size, 1, address, port), timedelta(seconds=seconds)).joined({}):
            pass
    except (InputError, WorkerLost) as error:
        print(error)


def said(*places):
    started = [Started(meets, place, {}) for place in places]
    found = [process.wait() for process in started]
    assert all((status, err) == (0, "") for status, _, err in found), found
    assert all(out.count("\n") <= 1 for _, out, _ in found), found
    return [out.rstrip("\n") for _, out, _ in found]


def test_what_keeps_processes_apart_is_named(port):
    first, third = said((0, 3, "127.0.0.1", port, 2), (2, 3, "127.0.0.1", port, 2))
    assert first == "process 1 of 3 did not come in 2 s"
    assert third == first or third.startswith("process 0 of 3 is gone: ")  # which has given up
    (line,) = said((1, 2, "127.0.0.1", port, 2))
    assert line.startswith(f"process 1 of 2 found no process 0 at 127.0.0.1:{port}, where MASTER_ADDR and MASTER_PORT")
    with socket.create_server(("127.0.0.1", port)):
        (line,) = said((0, 2, "127.0.0.1", port, 2))
    assert line == f"port {port} of this machine is in use; set MASTER_PORT to another one"
    (line,) = said((1, 2, "no.such.host.invalid", port, 2))
    assert line.startswith(f"process 1 of 2 found no process 0 at no.such.host.invalid:{port}, where")


@pytest.mark.parametrize("says", [b"", b"GET / HTTP/1.1\r\n\r\n" + bytes(64)], ids=["silent", "of HTTP"])
def test_a_stranger_does_not_end_a_start(port, says):
    """One that connects and says nothing, as a port scan does, or something else; then process 1 comes."""
    first = Started(meets, (0, 2, "127.0.0.1", port, 60), {})
    stranger = socket.socket()
    until(lambda: stranger.connect_ex(("127.0.0.1", port)) == 0)
    stranger.sendall(says)
    second = Started(meets, (1, 2, "127.0.0.1", port, 60), {})
    assert (first.wait(), second.wait()) == ((0, "", ""), (0, "", ""))
    stranger.close()
