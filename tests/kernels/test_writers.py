"""Another thread writes to the ids that the kernel was given, while it works: it has copied them, and stays within."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("elman.kernels._cpu", reason="the native kernel is not built")

CHILD = """
import sys, threading, time
import numpy as np
from elman.kernels import _cpu

T, B, H, V = 200, 3, 8, 5
def floats(*shape):
    return np.full(shape, 0.01, np.float32)

layer = (floats(3 * H, V), floats(3 * H, H), floats(3 * H), floats(3 * H))
network = _cpu.Network(cell=2, layers=[layer], w_out=floats(V, H), b_out=floats(V), embedding=None)
packed = _cpu.Packed(network)
held = [floats(1, B, H), floats(B, V)]
decoder = _cpu.Decoder(packed, h=held[0], c=None, logits=held[1])
small = _cpu.IntegerNetwork(
    cell=2, layers=[(None, None, np.ones((3 * H, H), np.int8), floats(3 * H), None, np.zeros(H, np.int32))],
    inputs=np.zeros((V, 3 * H), np.int32), w_out=np.ones((V, H), np.int8), scale_out=floats(V), b_out=floats(V),
)
h8, c16, logits8 = np.zeros((1, B, H), np.int8), np.zeros((1, B, H), np.int16), floats(B, V)
small_decoder = _cpu.IntegerDecoder(small, h=h8, c=c16, logits=logits8)
gates, none = np.zeros((T, B, 4 * H), np.float32), (0.0, 0.0, 0.0, 0.0, 0, 0)
grads = [np.zeros(w.size, np.float32) for w in (*layer, held[1][:0], held[1][:0])][:4] + [
    np.zeros(V * H, np.float32), np.zeros(V, np.float32)]
draws = np.full((T, B), 0.5)
state = floats(1, B, H)

def recurrent(ids):
    _cpu.recurrent(
        cell=2, ids=ids, h0=floats(B, H), c0=None, w_ih=layer[0], w_hh=layer[1], b_ih=layer[2], b_hh=layer[3],
        out=floats(T, B, H), hn=floats(B, H), cn=None, gates=gates)

def recurrent_backward(ids):
    _cpu.recurrent_backward(
        cell=2, ids=ids, h0=floats(B, H), c0=None, w_ih=layer[0], w_hh=layer[1], out=floats(T, B, H), gates=gates,
        cells=None, d_out=floats(T, B, H), d_hn=None, d_cn=None, d_x=None, d_h0=None, d_c0=None,
        d_w_ih=floats(3 * H, V), d_w_hh=None, d_b_ih=None, d_b_hh=None)

CALLS = {
    "recurrent": recurrent,
    "recurrent_backward": recurrent_backward,
    "cross_entropy": lambda ids: _cpu.cross_entropy(
        hidden=floats(T, B, H), w=floats(V, H), b=None, targets=ids, nats=floats(T, B)),
    "cross_entropy_backward": lambda ids: _cpu.cross_entropy_backward(
        hidden=floats(T, B, H), w=floats(V, H), b=None, targets=ids, saved=None, d_mean=1.0,
        d_hidden=floats(T, B, H), d_w=None, d_b=None),
    "run": lambda ids: network.run(ids=ids, h=state, c=None, hidden=floats(T, B, H)),
    "loss_and_grads": lambda ids: network.loss_and_grads(
        ids=ids, targets=ids.copy(), h=state, c=None, dropout=none, grads=grads),
    "targets": lambda ids: network.loss_and_grads(
        ids=np.zeros((T, B), np.int64), targets=ids, h=state, c=None, dropout=none, grads=grads),
    "read": decoder.read,
    "generate": lambda ids: decoder.generate(ids=ids, bias=None, exponent=1.0, draws=draws),
    "integer run": lambda ids: small.run(ids=ids, h=h8, c=c16, targets=ids, nats=np.zeros((T, B))),
    "integer read": small_decoder.read,
    "integer generate": lambda ids: small_decoder.generate(ids=ids, bias=None, exponent=1.0, draws=draws),
    "integer nats": lambda ids: _cpu.integer_nats(
        logits=floats(T * B, V), targets=ids.reshape(-1), nats=np.zeros(T * B)),
}
sys.setswitchinterval(1e-5)
for name, call in CALLS.items():
    print(name, flush=True)
    ids, stop = np.zeros((T, B), np.int64), threading.Event()

    def write():
        while not stop.is_set():
            ids[T // 2 :] = 1 << 40  # far outside
            ids[T // 2 :] = 0

    writer, done, refused = threading.Thread(target=write), 0, 0
    writer.start()
    end = time.process_time() + 0.4
    while time.process_time() < end:
        try:
            call(ids)
            done += 1
        except IndexError:  # seen before the copy
            refused += 1
    stop.set()
    writer.join()
    assert done, (name, refused)
print("whole")
"""


@pytest.mark.slow
def test_ids_that_change_meanwhile_index_nothing_outside():
    child = subprocess.run([sys.executable, "-X", "faulthandler", "-c", CHILD], capture_output=True, text=True)
    assert (child.returncode, child.stdout.splitlines()[-1:]) == (0, ["whole"]), child.stderr
