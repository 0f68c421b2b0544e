"""Downloads are tried against a real server on this machine that behaves badly in every way we could think of."""

import errno
import hashlib
import io
import logging
import os
import pickle
import re
import socket
import struct
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pooch
import pytest
import requests

from llmcourse.data.store import CHUNK, DataError, DataFile, Patience, cache_folder, fetch, hash_file, locate

NAME = "corpus/train.txt"  # in a folder, as the files of later data sets are
BODY = bytes(range(256)) * (3 * CHUNK // 256) + b"the end"  # several chunks and a rest
SHA256 = hashlib.sha256(BODY).hexdigest()
HASTY = Patience(timeout=0.3, attempts=2, pause=0.01, limit=20)


class Server(ThreadingHTTPServer):
    """Count requests, and let a test release the handlers that never answer."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.paths: list[str] = []
        self.encodings: list[str] = []
        self.seen_half_way: list[str] = []
        self.released = threading.Event()

    def handle_error(self, request: object, client_address: object) -> None:
        """Keep quiet about clients that go away: several tests make them do so."""


class Handler(BaseHTTPRequestHandler):
    """Answer /good properly and each other path in its own wrong way."""

    server: Server

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        self.server.paths.append(self.path)
        self.server.encodings.append(self.headers["Accept-Encoding"])
        getattr(self, self.path.strip("/"))()

    def head(self, length: int | None = len(BODY), status: int = 200) -> None:
        self.send_response(status)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def good(self) -> None:
        self.head()
        self.wfile.write(BODY)

    def moved(self) -> None:
        self.send_response(302)
        self.send_header("Location", "/good")
        self.end_headers()

    def other(self) -> None:
        self.head(7)
        self.wfile.write(b"another")

    def sign_in(self) -> None:
        self.head(None)
        self.wfile.write(b"<!doctype html><p>Please sign in.")

    def missing(self) -> None:
        self.send_error(404)

    def overloaded(self) -> None:
        self.send_error(503)

    def overloaded_once(self) -> None:
        self.overloaded() if len(self.server.paths) == 1 else self.good()

    def truncated(self) -> None:
        self.head()
        self.wfile.write(BODY[: len(BODY) // 2])

    def short_without_length(self) -> None:
        self.head(None)
        self.wfile.write(BODY[:-1])

    def reset(self) -> None:
        self.truncated()
        self.wfile.flush()
        # Lingering for 0 seconds turns the close into a reset of the connection.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def hung_up(self) -> None:
        self.connection.shutdown(socket.SHUT_RDWR)

    def silent(self) -> None:
        self.server.released.wait(20)

    def stalled(self) -> None:
        self.truncated()
        self.wfile.flush()
        self.server.released.wait(20)

    def very_long(self) -> None:
        self.head(None)
        for _ in range(500):  # 5 s: long enough to be given up, and still an end when nobody gives up
            self.wfile.write(b"x" * CHUNK)
            self.server.released.wait(0.01)

    def watched(self) -> None:
        self.head()
        self.wfile.write(BODY[: len(BODY) // 2])
        self.server.seen_half_way = [str(path) for path in cache_folder().rglob(Path(NAME).name)]
        self.wfile.write(BODY[len(BODY) // 2 :])


@pytest.fixture
def server():
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.released.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Give each test a cache of its own, no LLMCOURSE_DATA and no proxy."""
    monkeypatch.setenv("LLMCOURSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("LLMCOURSE_DATA", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tmp_path / "cache"


def served(server: Server, how: str) -> DataFile:
    return DataFile(NAME, f"http://127.0.0.1:{server.server_port}/{how}", SHA256)


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_download_is_kept_and_served_without_the_server(server, cache, capfd):
    file = served(server, "good")
    path = fetch(file, HASTY)
    assert path == cache / NAME
    assert path.read_bytes() == BODY
    shown = capfd.readouterr()
    assert shown.out == ""
    assert shown.err == f"Downloading {NAME} to {cache}\n"
    server.shutdown()
    server.server_close()
    assert fetch(file, HASTY) == path
    assert server.paths == ["/good"]
    assert server.encodings == ["identity"]  # otherwise the progress bar would count towards another length
    assert files_in(cache) == [path]


def test_pooch_says_nothing_of_its_own(server):
    records = []
    handler = logging.Handler()
    handler.emit = records.append
    pooch.get_logger().addHandler(handler)
    fetch(served(server, "good"), HASTY)
    pooch.get_logger().removeHandler(handler)
    assert records == []
    assert pooch.get_logger().level == logging.NOTSET  # as it was: other packages use pooch too


def test_redirection_is_followed(server):
    assert fetch(served(server, "moved"), HASTY).read_bytes() == BODY


def test_file_gets_its_name_only_when_it_is_whole(server, cache):
    fetch(served(server, "watched"), HASTY)
    assert server.seen_half_way == []
    assert files_in(cache) == [cache / NAME]


def test_downloaded_file_can_be_read_by_others(server):
    assert fetch(served(server, "good"), HASTY).stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(
    ("how", "attempts", "received"),
    [
        ("other", 1, r"7 bytes with SHA-256 [0-9a-f]{64}\.$"),
        ("sign_in", 1, "33 bytes .* web page"),
        ("short_without_length", 1, f"{len(BODY) - 1:,} bytes with SHA-256"),
        ("missing", 1, r"HTTP status 404 \(Not Found\) \(attempt 1 of 2\)"),
        ("overloaded", 2, r"HTTP status 503 \(Service Unavailable\) \(attempt 2 of 2\)"),
        ("truncated", 2, rf"cut: IncompleteRead\({len(BODY) // 2} bytes read, {len(BODY) - len(BODY) // 2} more"),
        ("reset", 2, "cut: .*Connection reset by peer"),
        ("hung_up", 2, "no connection: Remote end closed connection without response"),
        ("silent", 2, r"no answer within 0.3 s \(attempt 2 of 2\)"),
        ("stalled", 2, r"no answer within 0.3 s \(attempt 2 of 2\)"),
    ],
)
def test_bad_server_is_one_clear_error_and_leaves_no_file(server, cache, how, attempts, received):
    file = served(server, how)
    start = time.monotonic()
    with pytest.raises(DataError, match=re.escape(NAME)) as caught:
        fetch(file, HASTY)
    assert time.monotonic() - start < 5  # the silent ones wait for 20 s
    assert re.search(received, str(caught.value).splitlines()[0])
    assert caught.value.required in (f"SHA-256 {SHA256}", f"a download from {file.url}")
    assert file.url in caught.value.remedy
    assert "LLMCOURSE_DATA" in caught.value.remedy
    assert "object at 0x" not in str(caught.value)
    assert server.paths == [f"/{how}"] * attempts
    assert files_in(cache) == []


def test_passing_trouble_is_overcome_by_another_attempt(server):
    assert fetch(served(server, "overloaded_once"), HASTY).read_bytes() == BODY
    assert len(server.paths) == 2


def test_download_that_takes_too_long_is_given_up(server, cache):
    with pytest.raises(DataError, match=r"within 0\.2 s. Received: [0-9,]+ bytes in that time"):
        fetch(served(server, "very_long"), Patience(limit=0.2))
    assert files_in(cache) == []


def test_no_further_attempt_begins_after_the_limit(server):
    with pytest.raises(DataError, match="attempt 1 of 2"):
        fetch(served(server, "overloaded"), Patience(attempts=2, pause=3, limit=1))


def test_refused_connection_names_the_cause(cache):
    with socket.socket() as free:  # bound but not listening: nobody else can get the port meanwhile
        free.bind(("127.0.0.1", 0))
        file = DataFile(NAME, f"http://127.0.0.1:{free.getsockname()[1]}/good", SHA256)
        with pytest.raises(DataError, match=r"no connection: .*Connection refused"):
            fetch(file, HASTY)
    assert files_in(cache) == []


def test_damaged_file_in_the_cache_is_downloaded_again(server, cache):
    file = served(server, "good")
    path = fetch(file, HASTY)
    path.write_bytes(BODY[:-2])
    assert fetch(file, HASTY).read_bytes() == BODY
    assert len(server.paths) == 2


def test_damaged_file_in_the_cache_does_not_stay_when_there_is_no_new_one(server, cache):
    (cache / NAME).parent.mkdir(parents=True)
    (cache / NAME).write_bytes(BODY[:-2])
    with pytest.raises(DataError, match="404"):
        fetch(served(server, "missing"), HASTY)
    assert files_in(cache) == []


def test_interrupted_download_leaves_no_file(server, cache, monkeypatch):
    def interrupted(reply, size):
        yield BODY[:size]
        raise KeyboardInterrupt

    monkeypatch.setattr(requests.Response, "iter_content", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fetch(served(server, "good"), HASTY)
    assert files_in(cache) == []


def test_full_disk_is_named_and_leaves_no_file(server, cache, monkeypatch):
    class FullDisk(io.FileIO):
        def write(self, data):
            super().write(data[:11])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    real_open = Path.open
    monkeypatch.setattr(
        Path, "open", lambda path, mode="r": FullDisk(path, "wb") if mode == "wb" else real_open(path, mode)
    )
    with pytest.raises(DataError, match="No space left on device") as caught:
        fetch(served(server, "good"), HASTY)
    assert "LLMCOURSE_CACHE" in caught.value.remedy
    assert str(cache) in caught.value.required
    assert files_in(cache) == []


def test_cache_that_cannot_be_a_folder_is_a_clear_error(server, cache):
    cache.write_text("a file")
    with pytest.raises(DataError, match=r"train\.txt.*\n.*LLMCOURSE_CACHE") as caught:
        fetch(served(server, "good"), HASTY)
    assert str(cache) in caught.value.received
    assert cache.read_text() == "a file"


def test_several_at_once_get_the_same_whole_file(server, cache):
    with ThreadPoolExecutor(5) as pool:
        paths = list(pool.map(lambda _: fetch(served(server, "good"), HASTY), range(5)))
    assert set(paths) == {cache / NAME}
    assert hash_file(cache / NAME) == SHA256
    assert files_in(cache) == [cache / NAME]


def test_folder_that_another_process_makes_meanwhile_is_no_error(server, monkeypatch):
    def made_meanwhile(path, *args, **kwargs):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)

    monkeypatch.setattr(os, "makedirs", made_meanwhile)  # what pooch calls, and what fails for the slower of two
    assert fetch(served(server, "good"), HASTY).read_bytes() == BODY


@pytest.fixture
def own_copy(tmp_path, monkeypatch):
    """Set LLMCOURSE_DATA to a folder that holds the file."""
    path = tmp_path / "data" / NAME
    path.parent.mkdir(parents=True)
    path.write_bytes(BODY)
    monkeypatch.setenv("LLMCOURSE_DATA", str(tmp_path / "data"))
    return path


def test_own_copy_wins_over_the_network(server, cache, own_copy):
    assert fetch(served(server, "missing"), HASTY) == own_copy
    assert server.paths == []
    assert not cache.exists()


def test_wrong_own_copy_is_an_error_and_is_never_removed(server, own_copy):
    own_copy.write_bytes(BODY[:-3])
    with pytest.raises(DataError, match=f"{len(BODY) - 3:,} bytes with SHA-256") as caught:
        fetch(served(server, "good"), HASTY)
    assert str(own_copy) in caught.value.remedy
    assert own_copy.read_bytes() == BODY[:-3]
    assert server.paths == []


def test_own_copy_may_be_packed_differently_where_the_caller_checks_it(own_copy):
    own_copy.write_bytes(b"packed differently")
    assert fetch(DataFile(NAME, "http://127.0.0.1:1/", SHA256, exact_copy=False), HASTY) == own_copy


def test_own_folder_without_the_file_leads_to_a_download(server, cache, own_copy):
    own_copy.unlink()
    assert fetch(served(server, "good"), HASTY) == cache / NAME


def test_empty_variable_counts_as_not_set(own_copy, monkeypatch):
    monkeypatch.chdir(own_copy.parents[1])  # where an empty name, taken as this folder, would find the file
    monkeypatch.setenv("LLMCOURSE_DATA", "")
    assert locate(NAME) is None


@pytest.mark.parametrize(("place", "what"), [("nowhere", "does not exist"), ("a_file", "is a file")])
def test_own_folder_that_is_none_is_an_error(server, tmp_path, monkeypatch, place, what):
    (tmp_path / "a_file").write_text("")
    monkeypatch.setenv("LLMCOURSE_DATA", str(tmp_path / place))
    with pytest.raises(DataError, match=f"LLMCOURSE_DATA to name a folder. Received: .*{place}, which {what}"):
        fetch(served(server, "good"), HASTY)
    assert server.paths == []


def test_tilde_stands_for_the_home_folder(own_copy, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LLMCOURSE_DATA", "~/data")
    monkeypatch.setenv("LLMCOURSE_CACHE", "~/kept")
    assert locate(NAME) == own_copy
    assert cache_folder() == tmp_path / "kept"


def test_cache_is_the_users_own_folder_unless_set(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "cache"
    monkeypatch.delenv("LLMCOURSE_CACHE")
    assert cache_folder().name == "llmcourse"
    assert cache_folder() != tmp_path / "cache"


def test_error_survives_the_way_between_processes():
    error = DataError("a.txt", "one thing", "another", "do this")
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error) == "a.txt: required one thing. Received: another.\nWhat to do: do this."
    assert (again.name, again.required, again.received, again.remedy) == error.args


def test_without_a_home_folder_no_folder_named_tilde_is_made(monkeypatch):
    monkeypatch.delenv("LLMCOURSE_CACHE", raising=False)
    monkeypatch.setattr("pooch.os_cache", lambda name: Path("~/.cache") / name)
    with pytest.raises(DataError, match="set the environment variable LLMCOURSE_CACHE"):
        cache_folder()
