"""Do four hosts send what was computed, and how long do they wait for it? Network namespaces stand in for the hosts.

    sudo python benchmarks/hosts.py --text tinyshakespeare.txt [--gigabits 1 10] [--steps 20] [--hidden-size 384]

Each host is a network namespace with a virtual Ethernet device of the given rate (tc), on one bridge, and runs a
process of a training of so many steps. Its bytes are those that the device has counted; their frames, acknowledgements
and the meeting add a few percent. Linux with iproute2, as root. On a machine with fewer cores than hosts the seconds
are of processes that share the cores, and say nothing about hosts.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

from harness import machine, write
from processes import Counting, Step

import elman
from elman.parallel.launch import Place
from elman.recipes import load_recipe

HOSTS = 4
BRIDGE, NAMES = "elman-br", [f"elman-{rank}" for rank in range(HOSTS)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", required=True, type=Path)
    parser.add_argument("--gigabits", type=float, nargs="+", default=[1, 10])
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--hidden-size", type=int, default=384)
    parser.add_argument("--optimizer", default="muon")
    parser.add_argument("--rank", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.rank is not None:
        host(options)
        return
    expected = [computed(options, rank) for rank in range(HOSTS)]
    rows = []
    for gigabits in options.gigabits:
        environment = os.environ | {"GLOO_SOCKET_IFNAME": "eth0", "ELMAN_THREADS": "1", "TORCH_CPP_LOG_LEVEL": "FATAL"}
        with network(gigabits):
            before = [counted(name) for name in NAMES]
            arguments = [f"--steps={options.steps}", f"--hidden-size={options.hidden_size}"]
            arguments += [f"--optimizer={options.optimizer}", f"--text={options.text.resolve()}"]
            processes = [
                subprocess.Popen(
                    ["ip", "netns", "exec", name, sys.executable, __file__, f"--rank={rank}", *arguments],
                    stdout=subprocess.PIPE,
                    env=environment,
                )
                for rank, name in enumerate(NAMES)
            ]
            found = [json.loads(process.communicate()[0]) for process in processes]
            wire = [counted(name) - old for name, old in zip(NAMES, before, strict=True)]
        assert len({each["digest"] for each in found}) == 1
        for rank, (each, on_the_wire) in enumerate(zip(found, wire, strict=True)):
            waited = each.pop("waited") / each["steps"]
            wire = on_the_wire / each["sent"]
            print(
                f"{gigabits:g} Gbit/s, host {rank}: {each['sent_a_step']:,} bytes a step, {expected[rank]:,} computed; "
                f"{wire:.3f} times what it sent on the wire; {1e3 * waited:.0f} ms a step of waiting and sending"
            )
            found_here = {"computed_a_step": expected[rank]} | each | {"on_the_wire": on_the_wire}
            rows.append({"gigabits": gigabits, "host": rank} | found_here | machine())
    write("hosts", rows)


def work(options: argparse.Namespace) -> tuple[str, elman.Recipe]:
    """The text of so many steps, and the recipe."""
    settings = {"optimizer": options.optimizer, "hidden_size": options.hidden_size, "epochs": 1, "sample_every": 0}
    recipe = load_recipe("modern").replace(shards=HOSTS, val_fraction=0.0, **settings)
    return options.text.read_text("utf-8")[: (options.steps * recipe.batch_size + 1) * recipe.seq_length], recipe


def computed(options: argparse.Namespace, rank: int) -> int:
    """The bytes that a host should send in a step: what one process asks of a group that only counts."""
    group = Counting(rank, HOSTS)
    text, recipe = work(options)
    Step(text, recipe.replace(batch_size=1)).of(group, HOSTS)(True)
    return group.sent


def host(options: argparse.Namespace) -> None:
    """One process of the training; prints what it sent."""
    from elman.torch.group import TorchGroup

    text, recipe = work(options)
    corpus = elman.Corpus("text", text, recipe.normalisation, str(options.text))
    model = elman.build_model(corpus, recipe)
    group = TorchGroup(Place(options.rank, HOSTS, 1, "10.77.0.1", 29500))
    sent: list[int] = []
    elman.fit(model, corpus, recipe, ranks=group, on_step=lambda _: sent.append(group.sent))
    a_step = statistics.median(b - a for a, b in pairwise(sent))  # without what is sent at the beginning and the end
    found = {"sent_a_step": int(a_step), "sent": group.sent, "waited": group.waited, "steps": len(sent)}
    print(json.dumps(found | {"digest": model.digest(), "parameters": model.num_parameters}))


@contextmanager
def network(gigabits: float) -> Iterator[None]:
    """The hosts, each with eth0 of this rate on one bridge."""
    try:
        call(f"ip link add {BRIDGE} type bridge")
        call(f"ip link set {BRIDGE} up")
        for rank, name in enumerate(NAMES):
            call(f"ip netns add {name}")
            call(f"ip link add {name} type veth peer name eth0 netns {name}")
            call(f"ip link set {name} master {BRIDGE} up")
            for command in (f"ip addr add 10.77.0.{rank + 1}/24 dev eth0", "ip link set eth0 up", "ip link set lo up"):
                call(f"ip netns exec {name} {command}")
            rate = f"rate {gigabits * 1000:.0f}mbit burst {max(64, gigabits * 125):.0f}kb latency 50ms"
            call(f"ip netns exec {name} tc qdisc add dev eth0 root tbf {rate}")
        yield
    finally:
        for name in NAMES:
            subprocess.run(["ip", "netns", "del", name], check=False, stderr=subprocess.DEVNULL)
        subprocess.run(["ip", "link", "del", BRIDGE], check=False, stderr=subprocess.DEVNULL)


def call(command: str) -> None:
    subprocess.run(command.split(), check=True)


def counted(name: str) -> int:
    """Bytes that a host has sent: those that its end of the cable outside received."""
    return int(Path(f"/sys/class/net/{name}/statistics/rx_bytes").read_text())


if __name__ == "__main__":
    main()
