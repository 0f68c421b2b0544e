"""Texts with and without labels are downloaded from a server that behaves well or badly, and nothing wrong is kept."""

import hashlib
import io
import json
import re
import socket
import zipfile
from functools import partial

import numpy as np
import pytest

from llmcourse.data import DataError, load_labelled, load_text, polarity, shakespeare, tang, trec
from llmcourse.data.store import DataFile, Patience, fetch

HASTY = Patience(timeout=2, attempts=2, pause=0.01, limit=20)
ARCHIVE, PLAY = "/sentence_polarity.zip", "/input.txt"


def make_files() -> dict[str, bytes]:
    """Make small files under the addresses of the real ones."""
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:
        for label, member in polarity.MEMBERS.items():
            archive.writestr(member, "".join(f"{label} cliché \x96 {number} \n" for number in range(20)))
    questions = [f"{label} What is {label} {i} ?\n" for label in ("LOC:city", "NUM:date") for i in range(20)]
    poems = [
        {"title": f"{i}", "author": "某", "paragraphs": ["".join(chr(0x4E00 + 20 * i + k) for k in range(9)) + "。"]}
        for i in range(20)
    ]
    return {
        ARCHIVE: memory.getvalue(),
        PLAY: b"To be, or not to be.\n" * 50,
        "/TREC.train": ("".join(questions) + "LOC:city Which sisterðcity ?\n").encode("latin-1"),
        "/TREC.test": "".join(questions[::5]).encode("latin-1"),
        "/poet.tang.0.json": json.dumps(poems[:11]).encode(),
        "/poet.tang.1000.json": json.dumps(poems[11:] + poems[:3]).encode(),
    }


@pytest.fixture
def server(serve, monkeypatch):
    """Serve small files at the addresses of the data sets, with hashes that fit."""
    server = serve(make_files())
    hashes = {path: hashlib.sha256(body).hexdigest() for path, body in server.files.items()}
    for module, path in ((polarity, ARCHIVE), (shakespeare, PLAY)):
        monkeypatch.setattr(module, "FILE", DataFile(module.FILE.name, server.address + path, hashes[path]))
    for module in (trec, tang):
        monkeypatch.setattr(module, "ADDRESS", server.address)
    monkeypatch.setattr(trec, "SHA256", {part: hashes[f"/TREC.{part}"] for part in ("train", "test")})
    monkeypatch.setattr(tang, "SHA256", {path[1:]: value for path, value in hashes.items() if "tang" in path})
    monkeypatch.setattr(tang, "VALIDATION", 3)
    monkeypatch.setattr(tang, "TEST", 5)
    for module in (polarity, shakespeare, trec, tang):
        monkeypatch.setattr(module, "fetch", partial(fetch, patience=HASTY))
    return server


LOADERS = {"polarity": load_labelled, "trec": load_labelled, "shakespeare": load_text, "tang": load_text}
each_file = pytest.mark.parametrize(
    ("name", "path", "file"),
    [
        ("polarity", ARCHIVE, "polarity/sentence_polarity.zip"),
        ("trec", "/TREC.train", "trec/TREC.train"),
        ("trec", "/TREC.test", "trec/TREC.test"),
        ("shakespeare", PLAY, "shakespeare/input.txt"),
        ("tang", "/poet.tang.1000.json", "tang/poet.tang.1000.json"),
    ],
)


def test_everything_is_downloaded_once(server, files_in_cache):
    for _ in range(2):
        for name, load in LOADERS.items():
            load(name)
        assert sorted(server.paths) == sorted(server.files)
    assert files_in_cache() == {
        "polarity/sentence_polarity.zip",
        "shakespeare/input.txt",
        "trec/TREC.train",
        "trec/TREC.test",
        "tang/poet.tang.0.json",
        "tang/poet.tang.1000.json",
    }


def test_polarity_is_read_out_of_its_archive(server):
    data = load_labelled("polarity", fold=9)
    assert (len(data.train), len(data.validation), len(data.test)) == (32, 4, 4)
    for text, label in zip(data.train.texts, data.train.labels, strict=True):
        assert re.fullmatch(rf"{data.classes[label]} cliché – \d+", text)


def test_trec_leaves_out_what_stands_in_the_test(server):
    data = load_labelled("trec")
    assert (len(data.train), len(data.validation), len(data.test)) == (29, 4, 8)
    assert np.bincount(data.test.labels).tolist() == [4, 4]
    assert data.test.texts[0] == "What is LOC:city 0 ?"
    assert "Which sister city ?" in data.train.texts + data.validation.texts


def test_tang_keeps_each_poem_once(server):
    text = load_text("tang", headings=True)
    assert [part.count(tang.POEM_END) for part in (text.train, text.validation, text.test)] == [12, 3, 5]
    poems = (text.train + text.validation + text.test).split(tang.POEM_END)[:-1]
    assert sorted(int(poem.split("\n")[0]) for poem in poems) == list(range(20))


@each_file
@pytest.mark.parametrize(
    ("how", "received"),
    [
        ("missing", r"HTTP status 404 \(Not Found\)"),
        ("interrupted", "a connection that was cut"),
        ("wrong", "bytes with SHA-256 [0-9a-f]{64}"),
    ],
)
def test_bad_server_is_one_clear_error_and_the_next_try_succeeds(
    server, files_in_cache, how, received, name, path, file
):
    server.spoiled, server.how = path, how
    with pytest.raises(DataError, match=rf"^{re.escape(file)}: required .*{received}") as caught:
        LOADERS[name](name)
    assert "LLMCOURSE_DATA" in caught.value.remedy
    assert file not in files_in_cache()
    server.how = ""
    LOADERS[name](name)


@pytest.mark.parametrize("name", LOADERS)
def test_no_network_is_a_clear_error(server, monkeypatch, files_in_cache, name):
    with socket.socket() as free:  # bound but not listening: nobody else can get the port meanwhile
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
        for module in (trec, tang):
            monkeypatch.setattr(module, "ADDRESS", address)
        for module in (polarity, shakespeare):
            monkeypatch.setattr(module, "FILE", DataFile(module.FILE.name, f"{address}/file", "0" * 64))
        with pytest.raises(DataError, match=rf"^{name}/.*no connection: .*Connection refused"):
            LOADERS[name](name)
    assert files_in_cache() == set()


@each_file
def test_own_folder_wins_and_a_wrong_copy_is_refused_and_kept(server, tmp_path, monkeypatch, name, path, file):
    monkeypatch.setenv("LLMCOURSE_DATA", str(tmp_path / "data"))
    own = tmp_path / "data" / file
    own.parent.mkdir(parents=True)
    own.write_bytes(server.files[path])
    LOADERS[name](name)
    assert path not in server.paths
    for content in (server.files[path][:-1], b"<html>", b"PK\x03\x04 another archive"):
        own.write_bytes(content)
        with pytest.raises(DataError, match=rf"^{re.escape(file)}: required SHA-256 .* Received: [0-9,]+ bytes"):
            LOADERS[name](name)
        assert own.read_bytes() == content


def test_addresses_are_pinned_to_commits():
    addresses = [polarity.FILE.url, shakespeare.FILE.url, trec.describe_file("test").url]
    addresses += [tang.describe_file(name).url for name in tang.SHA256]
    assert len(addresses) == 13
    for address in addresses:
        assert re.fullmatch(r"https://raw\.githubusercontent\.com/[\w-]+/[\w-]+/[0-9a-f]{40}/[\w./%-]+", address)
