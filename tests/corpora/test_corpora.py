"""Corpora: what may be read, from where, and the one line for everything that may not."""

from __future__ import annotations

import gzip
import hashlib
import io
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from elman.corpora import load_corpus, named
from elman.errors import CorpusError, InputError


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch, tmp_path):
    """Neither the user's cache nor the network is touched."""
    monkeypatch.setattr(named, "cache", lambda: tmp_path / "cache")
    monkeypatch.delenv("ELMAN_DATA", raising=False)


@pytest.fixture
def server():
    """An HTTP server on this machine; `answers` maps a path to a list of bodies, the last one repeated; None is 500."""
    answers: dict[str, list[bytes | None]] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            bodies = answers.get(self.path)
            body = None if not bodies else bodies.pop(0) if len(bodies) > 1 else bodies[0]
            self.send_response(404 if not bodies else 500 if body is None else 200)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *_):
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{httpd.server_address[1]}", answers
    httpd.shutdown()
    thread.join()
    httpd.server_close()


def _name(monkeypatch, sources, data=b"The right text."):
    entry = named.Named("a test", "right.txt", tuple(sources), "sha256", hashlib.sha256(data).hexdigest())
    monkeypatch.setitem(named.NAMED, "right", entry)
    return entry


def test_the_bundled_story():
    corpus = load_corpus("traveller", normalisation="none")
    assert 12_000 <= len(corpus) <= 15_000
    assert corpus.text.isascii()
    assert str(corpus.text)[:10_000].count("traveller") > 30


def test_file_folder_gz_and_standard_input(tmp_path, monkeypatch):
    (tmp_path / "d" / "sub").mkdir(parents=True)
    (tmp_path / "d" / "b.txt").write_bytes(b"\xef\xbb\xbfSecond\r\n")
    (tmp_path / "d" / ".hidden").write_bytes(b"\xff")
    (tmp_path / "d" / "sub" / "c.txt.gz").write_bytes(gzip.compress("Thïrd".encode()))
    assert load_corpus(tmp_path / "d" / "b.txt", normalisation="none").text == "Second\r\n"
    assert load_corpus(tmp_path / "d", normalisation="book").text == "second thïrd"
    assert load_corpus(tmp_path / "d" / "sub" / "c.txt.gz", normalisation="none").text == "Thïrd"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"From  a pipe")))
    assert load_corpus("-", max_chars=6, normalisation="book").text == "from a"


def test_max_chars_counts_after_normalisation(tmp_path):
    (tmp_path / "t.txt").write_text("a    b    c    d" * 1000)
    assert load_corpus(tmp_path / "t.txt", 5, normalisation="book").text == "a b c"


def test_max_chars_cuts_no_greek_word_before_it_is_lowered(tmp_path):
    text = "ΟΔΟΣ ΑΣ''Α ΣΟΦΟΣ"
    (tmp_path / "t.txt").write_text(text)
    for count in range(1, len(text)):
        assert load_corpus(tmp_path / "t.txt", count, normalisation="book").text == text.lower()[:count]


def test_several_texts(tmp_path):
    (tmp_path / "a.txt").write_text("One")
    (tmp_path / "b.txt").write_bytes(b"\xef\xbb\xbfTwo\n")
    places = (str(tmp_path / "a.txt"), str(tmp_path / "b.txt"))
    corpus = load_corpus(places, normalisation="none")
    assert (corpus.text, corpus.name, corpus.source) == ("One\nTwo\n", "a.txt+1", places)
    assert load_corpus([tmp_path / "a.txt"]).source == places[0]
    assert load_corpus(places, records=True).text == "One\nTwo\n"
    assert load_corpus(places, tokens="bytes").text == b"One\n\xef\xbb\xbfTwo\n"
    assert repr(corpus) == "Corpus('a.txt+1', 8 characters, normalisation 'none')"
    with pytest.raises(CorpusError, match=r"c\.txt: no such file"):
        load_corpus([*places, "c.txt"])
    with pytest.raises(CorpusError, match="no text is named"):
        load_corpus([])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty; expected a text"),
        (b"good \xff bad", "byte 0xff at offset 5 .*`encoding_errors` replace .* `tokens` bytes"),
        ("cut €".encode()[:-1], "byte 0xe2 at offset 4 .*unexpected end of data"),
        (b"\x89PNG\r\n\x1a\n\x00", "byte 0x89 at offset 0"),
    ],
)
def test_a_bad_file_is_one_line(tmp_path, data, message):
    (tmp_path / "f").write_bytes(data)
    with pytest.raises(CorpusError, match=message) as caught:
        load_corpus(tmp_path / "f")
    assert "\n" not in str(caught.value)
    if data:
        assert load_corpus(tmp_path / "f", tokens="bytes").text == data
        assert "\ufffd" in str(load_corpus(tmp_path / "f", encoding_errors="replace").text)


def test_missing_empty_folder_and_damaged_gz(tmp_path):
    with pytest.raises(CorpusError, match=r"timemachin: no such file, folder or corpus; did you mean 'timemachine'\?"):
        load_corpus("timemachin")
    (tmp_path / "empty").mkdir()
    with pytest.raises(CorpusError, match="is a folder with no files in it"):
        load_corpus(tmp_path / "empty")
    (tmp_path / "x.gz").write_bytes(gzip.compress(b"some text" * 99)[:-9])
    with pytest.raises(CorpusError, match="not a whole gzip file"):
        load_corpus(tmp_path / "x.gz")


def test_download_falls_back_retries_and_is_cached(server, monkeypatch):
    url, answers = server
    answers["/wrong"] = [b"Another text."]
    answers["/late"] = [None, b"The right text."]
    entry = _name(monkeypatch, [f"{url}/missing", f"{url}/wrong", f"{url}/late"])
    seen = []
    corpus = load_corpus("right", normalisation="none", progress=lambda *step: seen.append(step))
    assert corpus.text == "The right text."
    assert seen[-1] == (15, 15, f"{url}/late")
    answers.clear()
    assert load_corpus("right").source == str(named.cache() / entry.file)


def test_a_damaged_cache_is_downloaded_again(server, monkeypatch):
    url, answers = server
    entry = _name(monkeypatch, [f"{url}/a"])
    answers["/a"] = [b"The right text."]
    named.cache().mkdir()
    (named.cache() / entry.file).write_bytes(b"The wrong text.")
    assert load_corpus("right", normalisation="none").text == "The right text."
    assert (named.cache() / entry.file).read_bytes() == b"The right text."


def test_a_wrong_file_in_elman_data_is_an_error(monkeypatch, tmp_path):
    entry = _name(monkeypatch, [])
    (tmp_path / entry.file).write_bytes(b"The wrong text.")
    monkeypatch.setenv("ELMAN_DATA", str(tmp_path))
    with pytest.raises(CorpusError, match=r"expected sha256 .*, got .*unset ELMAN_DATA"):
        load_corpus("right")


def test_without_network_one_line_says_what_to_do(monkeypatch):
    _name(monkeypatch, ["http://127.0.0.1:9/one", "http://127.0.0.1:9/two"])
    with pytest.raises(CorpusError) as caught:
        load_corpus("right")
    text = str(caught.value)
    assert "\n" not in text
    for part in ("127.0.0.1:9/one", "127.0.0.1:9/two", "refused", "ELMAN_DATA", "right.txt"):
        assert part in text


def test_a_url_is_a_corpus(server):
    url, answers = server
    answers["/some/text.txt"] = [b"Over  HTTP"]
    assert load_corpus(f"{url}/some/text.txt").text == "Over  HTTP"
    with pytest.raises(CorpusError, match="HTTP 404"):
        load_corpus(f"{url}/nothing")


def test_the_first_characters_of_records_are_whole_records(tmp_path):
    file = tmp_path / "names"
    file.write_text("ann\nbartholomew\ncy\n")
    whole = load_corpus(file, records=True)
    for most in (4, 5, 15, 16, 17, 18, 19, 100):
        assert whole.first(most).text == load_corpus(file, most, records=True).text
    with pytest.raises(InputError, match="max_chars 3 is less than the first record of names has"):
        whole.first(3)
    assert load_corpus(file).first(3).text == "ann"
