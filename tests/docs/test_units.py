"""The files for systemd, containers, Kubernetes and Prometheus on the page on serving name what exists."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "serve.md"
if not PAGE.is_file():
    pytest.skip("the tests run outside a checkout, without its docs", allow_module_level=True)
pytest.importorskip("starlette", reason="the extra elman[serve] is not installed")
yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")

import typer  # noqa: E402

from elman.cli.serve import serve  # noqa: E402
from elman.serving import Limits  # noqa: E402
from elman.serving.schema import openapi_schema  # noqa: E402

TEXT = PAGE.read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", TEXT, re.S)
UNIT = next(block for kind, block in BLOCKS if kind == "ini")
DOCKERFILE = next(block for kind, block in BLOCKS if kind == "dockerfile")
COMPOSE, KUBERNETES, PROMETHEUS = (block for kind, block in BLOCKS if kind == "yaml")
PATHS = openapi_schema(Limits())["paths"]


def parsed(arguments: list[str]) -> dict:
    """The values that `elman serve` takes from these arguments, which it checks."""
    app = typer.Typer()
    app.command()(serve)
    command = typer.main.get_command(app)
    with command.make_context("serve", list(arguments)) as context:
        return context.params


def unit(name: str) -> str:
    return re.findall(rf"^{name}=(.*)$", UNIT, re.M)[-1]


def test_the_unit_starts_reloads_and_ends_the_server():
    program, command, *arguments = shlex.split(unit("ExecStart"))
    assert (Path(program).name, command) == ("elman", "serve")
    taken = parsed(arguments)
    assert Path(taken["uds"]) == Path("/run") / unit("RuntimeDirectory") / "socket"
    assert taken["uds_mode"] == "660"
    assert int(unit("TimeoutStopSec")) > taken["grace"] + 5
    assert "-HUP" in unit("ExecReload")
    assert f"unix/{taken['uds']}" in TEXT, "the proxy asks there"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_systemd_reads_the_unit(tmp_path):
    path = tmp_path / "elman.service"
    path.write_text(UNIT.replace(shlex.split(unit("ExecStart"))[0], sys.executable))
    done = subprocess.run(["systemd-analyze", "verify", str(path)], capture_output=True, text=True, timeout=120)
    said = [line for line in done.stderr.splitlines() if "elman.service" in line]
    assert not said
    assert done.returncode == 0, done.stderr


def test_the_image_runs_as_nobody_and_asks_for_its_health():
    lines = dict(re.findall(r"^([A-Z]+) (.*)$", DOCKERFILE, re.M))
    program, command, *arguments = json.loads(lines["ENTRYPOINT"])
    assert (program, command) == ("elman", "serve")
    taken = parsed(arguments)
    assert taken["host"] == "0.0.0.0"
    assert str(taken["port"]) == lines["EXPOSE"]
    assert lines["USER"] == "nobody"
    place = re.search(r"http://127.0.0.1:(\d+)(/\w+)", lines["HEALTHCHECK"])
    assert place is not None
    assert place[1] == lines["EXPOSE"]
    assert f"/v1{place[2]}" in PATHS
    compile(json.loads(lines["HEALTHCHECK"].removeprefix("CMD "))[2], "HEALTHCHECK", "exec")
    assert "[serve]" in lines["RUN"]


def test_compose_and_kubernetes_give_a_key_and_time_to_end():
    service = yaml.safe_load(COMPOSE)["services"]["elman"]
    grace = parsed(["story"])["grace"]
    assert int(service["stop_grace_period"].removesuffix("s")) > grace + 5
    assert list(service["environment"]) == ["ELMAN_API_KEY"]
    assert service["ports"] == ["127.0.0.1:8080:8080"]
    deployment, network = yaml.safe_load_all(KUBERNETES)
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    pause = int(container["lifecycle"]["preStop"]["exec"]["command"][-1])
    assert pod["terminationGracePeriodSeconds"] >= grace + pause + 2
    for probe in ("readinessProbe", "livenessProbe"):
        found = container[probe]["httpGet"]
        assert f"/v1{found['path']}" in PATHS
        assert found["port"] == container["ports"][0]["containerPort"] == network["spec"]["ports"][0]["targetPort"]
    assert container["env"][0]["name"] == "ELMAN_API_KEY"
    assert container["securityContext"]["runAsNonRoot"]
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"] == labels == network["spec"]["selector"]


def test_prometheus_asks_the_path_that_there_is():
    (job,) = yaml.safe_load(PROMETHEUS)["scrape_configs"]
    assert job.get("metrics_path", "/metrics") == "/metrics"
    assert "/v1/metrics" in PATHS
