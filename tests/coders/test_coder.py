"""Samples to a coder: the split, the file, what it gains, and samples of which there is nothing to learn."""

from __future__ import annotations

import random
import zlib

import pytest
from compression_cases import english

import elman
from elman.coders import train_coder
from elman.coders.network import recipe_for
from elman.coders.rivals import rivals
from elman.coders.samples import split
from elman.compression import Codec, Predictor, Store, compress, load_predictor, write_store
from elman.compression.trained import predictor_for, swapped, to_file
from elman.errors import InputError, ModelFileError, TrainingDiverged
from elman.model import read_header
from elman.model.container import read, to_bytes
from elman.training import fit


def lines(count: int, seed: int = 0) -> list[bytes]:
    draw = random.Random(seed)
    return [b"%s = %d" % (english(draw.randrange(20, 50), seed + i).replace(b"\n", b" "), i % 7) for i in range(count)]


@pytest.fixture(scope="module")
def made():
    return train_coder(lines(300), max_size=90_000, epochs=2)


def test_the_split_keeps_equal_samples_together_and_is_the_seeds():
    given = [*lines(200), *lines(50), b"", b""]
    parts = split(given)
    sides = [parts.train, parts.tail, parts.choice, parts.held_out]
    assert sorted(sample for side in sides for sample in side) == sorted(set(lines(200)))
    assert parts.counts == [given.count(sample) for sample in parts.train]
    assert [len(parts.choice), len(parts.held_out)] == [10, 10]
    assert 0 < sum(map(len, parts.tail)) <= sum(map(len, set(given))) / 5 + 60
    assert split(given) == parts
    assert split(given, seed=1).held_out != parts.held_out


@pytest.mark.parametrize(
    ("samples", "text"),
    [
        ([], "of 0 samples none are different and not empty"),
        ([b"", b""], "of 2 samples none are different"),
        ([b"same"] * 100, "of 100 samples only 1 are different"),
        ([b"x" * 100_000], "of 1 samples only 1 are different"),
        ([b"a", b"b", b"a", b"c", b"d"], "of 5 samples only 4 are different .* expected at least 5"),
    ],
)
def test_too_few_different_samples(samples, text):
    with pytest.raises(InputError, match=text):
        train_coder(samples, epochs=1)


def test_a_training_that_diverges_is_done_again_with_more_weight_decay(monkeypatch):
    def diverges(model, corpus, recipe, **how):
        tried.append(recipe.weight_decay)
        if len(tried) == 1:
            raise TrainingDiverged("training diverged")
        return fit(model, corpus, recipe, **how)

    tried, said = [], []
    monkeypatch.setattr("elman.coders.network.fit", diverges)
    again = train_coder(lines(300), max_size=200_000, epochs=2, say=said.append)
    assert tried == [0.1, pytest.approx(0.3)]
    assert "the training diverged; once more with a weight decay of 0.3" in said
    assert again.training["steps"] > 0


def test_the_file_is_the_coder(made, tmp_path):
    path = tmp_path / "a.model"
    made.save(path)
    assert path.stat().st_size == len(made.chosen.file) <= 90_000
    read = load_predictor(path)
    assert read.digest == made.predictor.digest
    codec, given = Codec(read), lines(60, 900)
    codes = codec.encode_many(given)
    assert codec.decode_many(codes) == given
    assert sum(map(len, codes)) < 0.5 * sum(map(len, given))
    write_store(given, tmp_path / "a.elr", read)
    with Store(tmp_path / "a.elr", read) as store:
        assert list(store) == given
    write_store(given, tmp_path / "b.elr")
    assert (tmp_path / "a.elr").stat().st_size < (tmp_path / "b.elr").stat().st_size


def test_what_it_gains_is_measured_on_what_it_has_not_seen(made):
    by_name = {result.name: result for result in made.results}
    ours = made.results[-1]
    held_out = made.parts.held_out
    codes = Codec(made.predictor).encode_many(held_out)
    assert ours.name == "this model"
    assert ours.per_message == sum(map(len, codes)) / len(codes)
    assert ours.counted(300) == ours.per_message + len(made.chosen.file) / 300
    assert by_name["as they are"].per_message == sum(map(len, held_out)) / len(held_out)
    assert ours.per_message < by_name["elman without a model"].per_message
    assert made.chosen.per_sample <= min(candidate.per_sample for candidate in made.candidates) / 0.99


def test_the_same_bytes_again(made):
    again = train_coder(lines(300), max_size=90_000, epochs=2)
    assert again.chosen.file == made.chosen.file
    assert train_coder(lines(300), max_size=90_000, epochs=2, seed=1).chosen.file != made.chosen.file


def test_a_share_of_an_epoch():
    made = train_coder(lines(300), max_size=200_000, epochs=0.5)
    whole = train_coder(lines(300), max_size=200_000, epochs=1)
    assert made.training["epochs"] == 0.5
    assert 0 < made.training["steps"] < whole.training["steps"]


def test_network_and_past_in_one_file(tmp_path):
    path = _written(tmp_path / "a.model", to_file(_network(), b"a\nb\n", 10, {}))
    header = read_header(path)
    assert header["coder"] == {"end": 10, "past": 4, "crc": zlib.crc32(b"a\nb\n")}
    assert header["needs"] == ["integer 1"]
    read = load_predictor(path)
    assert read.past == b"a\nb\n"
    assert read.digest == Predictor.from_integers(_network().network, first=10).with_past(b"a\nb\n").digest
    assert elman.load(path).vocab_size == 256
    assert load_predictor(_written(path, to_file(_network(), b"", 10, {}))).past == b""


def test_a_past_alone(tmp_path):
    past = b"".join(line + b"\n" for line in lines(100))
    path = _written(tmp_path / "a.model", to_file(None, past, 10, {}))
    read = load_predictor(path)
    assert read.past == past
    assert Codec(read).encode(b"abc") == Codec(None, past).encode(b"abc")
    with pytest.raises(ModelFileError, match="a past without a network: it serves stores"):
        elman.load(path)
    with pytest.raises(InputError, match="a past and no network: it serves stores and messages"), open(path, "rb") as f:
        compress(f, f, read)


def test_what_a_file_says_of_its_past_must_be_so(tmp_path):

    path = _written(tmp_path / "a.model", to_file(None, b"hello\n" * 50, 10, {}))
    header, arrays = read(path)
    for changes, message in (
        ({"past": 301}, "the checksum of its past differs"),
        ({"crc": 0}, "the checksum of its past differs"),
        ({"past": 1 << 40}, "past.*a whole number of at least 0 and at most"),
        ({"past": -1}, "past.*a whole number of at least 0 and at most"),
        ({"end": 256}, "end.*a whole number of at least 0 and at most 255"),
        ({"end": None}, "end.*a whole number of at least 0 and at most 255"),
    ):
        _written(path, to_bytes(header | {"coder": header["coder"] | changes}, arrays))
        with pytest.raises(ModelFileError, match=message):
            load_predictor(path)
    _written(path, to_bytes(header, {}))
    with pytest.raises(ModelFileError, match="its past has 300 bytes, and its tensors differ"):
        load_predictor(path)


def test_whole_files_end_with_another_byte():
    files = [line + b"\nand more\n" for line in lines(60)]
    made = train_coder(files, end=0, max_size=60_000, epochs=1)
    codec = Codec(made.predictor)
    assert codec.decode_many(codec.encode_many(files)) == files
    assert made.predictor.end == 0
    with pytest.raises(InputError, match="the messages of the model's past end with 0"):
        Codec(made.predictor, end=10)
    with pytest.raises(InputError, match="a store's messages are lines"):
        write_store([b"a"], "never", made.predictor)


def test_a_network_of_another_end_reads_swapped_bytes():
    network = _network()
    assert swapped(10) == bytes(range(256))
    plain, other = Codec(predictor_for(network, b"", 10)), Codec(predictor_for(network, b"", 0))
    for message in (b"ab\0c", b"hello", b"\xff\x00" * 9):
        sizes = plain.size(message.translate(swapped(0))), other.size(message)
        assert abs(sizes[0] - sizes[1]) <= 1  # a byte's bits come in another order
        assert other.decode(other.encode(message)) == message


def test_what_has_nothing_in_common_gets_no_model():
    draw = random.Random(0)
    with pytest.raises(InputError, match="a model does not help: the 6 held-out samples take"):
        train_coder([draw.randbytes(40) for _ in range(120)], max_size=60_000, epochs=1)


def test_ten_samples_and_one_huge_one():
    few = train_coder(lines(10), max_size=60_000, epochs=1)
    assert len(few.parts.held_out) == 1
    huge = train_coder([b"x" * 60_000, *lines(30)], max_size=60_000, epochs=1)
    assert len(huge.chosen.file) <= 60_000
    with pytest.raises(InputError, match="no model fits into 500 bytes"):
        train_coder(lines(30), max_size=500, epochs=1)


def test_deflate_is_zlibs_and_what_is_shared_counts():
    learnt, coded = lines(50), lines(20, 500)
    results = {result.name: result for result in rivals(learnt, coded, [9] * 20)}
    raw = [zlib.compress(line, 9, -15) for line in coded]
    assert results["deflate"].per_message == sum(map(len, raw)) / 20
    (dictionary,) = (result for name, result in results.items() if "dictionary" in name and "deflate" in name)
    assert dictionary.shared == sum(map(len, learnt)) + 50
    assert dictionary.per_message < results["deflate"].per_message
    assert dictionary.counted(1000) == dictionary.per_message + dictionary.shared / 1000


def test_batches_are_of_two_thousand_bytes_and_of_fewer_where_there_are_few():
    assert recipe_for(64, 20_000, 1_400_000).batch_size == 29
    assert recipe_for(64, 3_000, 150_000).batch_size == 15
    assert recipe_for(64, 40, 1_000).batch_size == 4


def test_few_samples_are_trained_on_with_dropout():
    assert recipe_for(64, 3_000, 150_000).output_dropout > 0
    assert recipe_for(64, 20_000, 1_400_000).output_dropout == 0


def _network():
    corpus = elman.Corpus("t", b"hello\n" * 9, "none", "here", records=True)
    return elman.quantise(elman.build_model(corpus, hidden_size=8, cell="gru"))


def _written(path, data):
    path.write_bytes(data)
    return path
