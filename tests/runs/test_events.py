"""TensorBoard's event files, read back by their definition, and by TensorBoard where it is installed."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from elman.runs.events import crc32c
from elman.runs.summary import read_run

SMALL = "--epochs 2 --hidden-size 8 --batch-size 4 --seq-length 16 --sample-every 0 --max-chars 900 --val-fraction 0.2"


def records(data):
    while data:
        (length,) = struct.unpack_from("<Q", data)
        for begin, end in ((0, 8), (12, 12 + length)):
            (masked,) = struct.unpack_from("<I", data, end)
            rotated = (masked - 0xA282EAD8) & 0xFFFFFFFF
            assert (rotated >> 17 | rotated << 15) & 0xFFFFFFFF == crc32c(data[begin:end])
        yield data[12 : 12 + length]
        data = data[16 + length :]


def fields(data):
    """(number, value) of a protocol buffer."""
    while data:
        field, kind, data = data[0] >> 3, data[0] & 7, data[1:]
        if kind in (1, 5):
            size = 8 if kind == 1 else 4
            yield field, struct.unpack("<d" if kind == 1 else "<f", data[:size])[0]
            data = data[size:]
            continue
        value = shift = 0
        while True:
            byte, data = data[0], data[1:]
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 128:
                break
        if kind == 2:
            yield field, data[:value]
            data = data[value:]
        else:
            yield field, value


def test_the_checksum():
    assert crc32c(b"123456789") == 0xE3069283  # the check value of CRC-32C
    assert crc32c(bytes(32)) == 0x8A9136AA  # RFC 3720


def test_the_log_is_there_also_after_a_resume(tmp_path, command):
    run = tmp_path / "r"
    command("train", *SMALL.split(), "--output", run, "--tensorboard")
    command("train", "--resume", run, "--epochs", 3, "--tensorboard")
    path = run / "tensorboard" / "events.out.tfevents.elman"
    first, *events = records(path.read_bytes())
    assert dict(fields(first))[3] == b"brain.Event:2"
    for event, line in zip(events, read_run(run).log, strict=True):
        parts = dict(fields(event))
        assert parts[2] == line["epoch"]
        values = [dict(fields(value)) for _, value in fields(parts[5])]
        found = {value[1].decode(): value[2] for value in values}
        assert found["perplexity/train"] == pytest.approx(line["train_perplexity"], rel=1e-6)
        assert found["perplexity/held-out"] == pytest.approx(line["val_perplexity"], rel=1e-6)
        assert found["learning rate"] == pytest.approx(line["lr"])


def test_tensorboard_reads_it(tmp_path, command):
    reader = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator", reason="TensorBoard is not installed"
    )
    command("train", *SMALL.split(), "--output", tmp_path / "r", "--tensorboard")
    accumulated = reader.EventAccumulator(str(Path(tmp_path, "r", "tensorboard")))
    accumulated.Reload()
    assert [event.step for event in accumulated.Scalars("perplexity/train")] == [1, 2]
