"""Multi30k and Tatoeba are downloaded from a server that behaves well or badly, and nothing wrong is ever kept."""

import errno
import gzip
import hashlib
import io
import os
import re
import socket
from functools import partial
from pathlib import Path

import pytest
import requests

from llmcourse.data import DataError, load_pairs, multi30k, tatoeba
from llmcourse.data.store import DataFile, Patience, fetch

HASTY = Patience(timeout=2, attempts=2, pause=0.01, limit=20)
COUNTS = {"train": 7, "validation": 3, "test": 5}
CHINESE = "".join(f"I see {number} cats.\t我看見{number}隻貓。\n" for number in range(11)).encode()


def make_files() -> dict[str, bytes]:
    """Make small files under the addresses of the real ones, each sentence with its split, place and language."""
    files = {"/cmn.txt": CHINESE}
    for split, count in COUNTS.items():
        for language in ("en", "de", "fr"):
            lines = "".join(f"{split} {place} {language}\n" for place in range(count)).encode()
            files[f"/raw/{multi30k.FILES[split]}.{language}.gz"] = gzip.compress(lines, mtime=0)
            files[f"/tok/{multi30k.FILES[split]}.lc.norm.tok.{language}"] = lines.upper()
    return files


@pytest.fixture
def server(serve, monkeypatch):
    """Serve small files at the addresses of the data sets, with hashes that fit."""
    server = serve(make_files())
    address = server.address
    hashes = {path: hashlib.sha256(body).hexdigest() for path, body in server.files.items()}
    monkeypatch.setattr(multi30k, "ADDRESS", address)
    monkeypatch.setattr(multi30k, "SHA256", {path.rpartition("/")[2]: value for path, value in hashes.items()})
    monkeypatch.setattr(tatoeba, "FILE", DataFile(tatoeba.FILE.name, f"{address}/cmn.txt", hashes["/cmn.txt"]))
    monkeypatch.setattr(tatoeba, "TEST", 3)
    monkeypatch.setattr(tatoeba, "VALIDATION", 2)
    for module in (multi30k, tatoeba):
        monkeypatch.setattr(module, "fetch", partial(fetch, patience=HASTY))
    return server


def test_multi30k_is_downloaded_once(server, capfd, files_in_cache):
    pairs = load_pairs("multi30k", target="fr")
    assert pairs.name == "multi30k-fr"
    assert (len(pairs.train), len(pairs.validation), len(pairs.test)) == (7, 3, 5)
    assert pairs.validation.sources == tuple(f"validation {place} en" for place in range(3))
    assert pairs.validation.targets == tuple(f"validation {place} fr" for place in range(3))
    names = {f"{file}.{language}.gz" for file in multi30k.FILES.values() for language in ("en", "fr")}
    assert files_in_cache() == {f"multi30k/{name}" for name in names}
    assert sorted(server.paths) == sorted(f"/raw/{name}" for name in names)
    load_pairs("multi30k", target="fr")
    assert len(server.paths) == 6
    load_pairs("multi30k")  # the English side is there already
    assert len(server.paths) == 9
    assert "Downloading multi30k/train.en.gz" in capfd.readouterr().err


def test_tokenised_multi30k_comes_from_its_own_files(server, files_in_cache):
    pairs = load_pairs("multi30k", tokenized=True)
    assert pairs.name == "multi30k-de-tokenized"
    assert pairs.test.targets[4] == "TEST 4 DE"
    assert "multi30k/tok/train.lc.norm.tok.de" in files_in_cache()
    assert "/tok/train.lc.norm.tok.de" in server.paths


def test_tatoeba_is_downloaded_once(server, files_in_cache):
    pairs = load_pairs("tatoeba-cmn")
    assert (len(pairs.train), len(pairs.validation), len(pairs.test)) == (6, 2, 3)
    number = re.search(r"\d+", pairs.test.sources[0])[0]
    assert pairs.test.targets[0] == f"我看见{number}只猫。"
    assert load_pairs("tatoeba-cmn", "zh") == pairs
    assert server.paths == ["/cmn.txt"]
    assert files_in_cache() == {"tatoeba/cmn.txt"}


@pytest.mark.parametrize(
    ("how", "received"),
    [
        ("missing", r"HTTP status 404 \(Not Found\)"),
        ("interrupted", "a connection that was cut"),
        ("wrong", "bytes with SHA-256 [0-9a-f]{64}"),
    ],
)
@pytest.mark.parametrize(
    ("name", "path", "file"),
    [
        ("multi30k", "/raw/val.de.gz", "multi30k/val.de.gz"),
        ("tatoeba-cmn", "/cmn.txt", "tatoeba/cmn.txt"),
    ],
)
def test_bad_server_is_one_clear_error_and_the_next_try_succeeds(
    server, how, received, name, path, file, files_in_cache
):
    server.spoiled, server.how = path, how
    with pytest.raises(DataError, match=rf"^{re.escape(file)}: required .*{received}") as caught:
        load_pairs(name)
    assert "LLMCOURSE_DATA" in caught.value.remedy
    assert file not in files_in_cache()
    server.how = ""
    assert len(load_pairs(name).train) in (6, 7)


@pytest.mark.parametrize("name", ["multi30k", "tatoeba-cmn"])
def test_no_network_is_a_clear_error(server, monkeypatch, name, files_in_cache):
    with socket.socket() as free:  # bound but not listening: nobody else can get the port meanwhile
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
        monkeypatch.setattr(multi30k, "ADDRESS", address)
        monkeypatch.setattr(tatoeba, "FILE", DataFile("tatoeba/cmn.txt", f"{address}/cmn.txt", "0" * 64))
        with pytest.raises(DataError, match="no connection: .*Connection refused"):
            load_pairs(name)
    assert files_in_cache() == set()


@pytest.mark.parametrize("name", ["multi30k", "tatoeba-cmn"])
def test_full_disk_is_named_and_leaves_no_file(server, monkeypatch, name, files_in_cache):
    class FullDisk(io.FileIO):
        def write(self, data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    real_open = Path.open
    monkeypatch.setattr(
        Path, "open", lambda path, mode="r": FullDisk(path, "wb") if mode == "wb" else real_open(path, mode)
    )
    with pytest.raises(DataError, match=r"No space left on device.*\n.*LLMCOURSE_CACHE"):
        load_pairs(name)
    assert files_in_cache() == set()


def test_interrupted_user_leaves_no_file(server, monkeypatch, files_in_cache):
    def interrupted(reply, size):
        yield b"half of the file"
        raise KeyboardInterrupt

    monkeypatch.setattr(requests.Response, "iter_content", interrupted)
    with pytest.raises(KeyboardInterrupt):
        load_pairs("tatoeba-cmn")
    assert files_in_cache() == set()


def test_own_folder_wins_over_the_network(server, tmp_path, monkeypatch):
    own = tmp_path / "data" / "tatoeba" / "cmn.txt"
    own.parent.mkdir(parents=True)
    own.write_bytes(CHINESE)
    monkeypatch.setenv("LLMCOURSE_DATA", str(tmp_path / "data"))
    assert len(load_pairs("tatoeba-cmn").test) == 3
    assert server.paths == []
    own.write_bytes(CHINESE[:-1])
    with pytest.raises(DataError, match="tatoeba/cmn.txt: required SHA-256"):
        load_pairs("tatoeba-cmn")
    assert own.exists()


def test_sides_of_different_length_are_refused(server, tmp_path, monkeypatch):
    shorter = gzip.compress(b"one line\n", mtime=0)
    server.files["/raw/val.de.gz"] = shorter
    monkeypatch.setitem(multi30k.SHA256, "val.de.gz", hashlib.sha256(shorter).hexdigest())
    with pytest.raises(DataError, match=r"val\.de\.gz: required as many lines as .*val\.en\.gz, 3\. Received: 1 lines"):
        load_pairs("multi30k")


def test_addresses_are_pinned_to_commits():
    file = multi30k.describe_file("test", "de", tokenized=True)
    assert file.name == "multi30k/tok/test_2016_flickr.lc.norm.tok.de"
    assert file.url.endswith("/a3d2e0d26b56f3846f66a952536ffed4e401d05a/data/task1/tok/test_2016_flickr.lc.norm.tok.de")
    assert multi30k.describe_file("train", "fr", tokenized=False).url.endswith("/data/task1/raw/train.fr.gz")
    assert "/9663dba4f2f52b4111b706b560023caaa73c72eb/" in tatoeba.FILE.url
