"""A server of small files at the addresses of the data sets, and an empty cache for what is downloaded from it."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


class Server(ThreadingHTTPServer):
    """Serve files by their paths, and spoil one of them as a test says: "missing", "interrupted" or "wrong"."""

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = files
        self.spoiled, self.how = "", ""
        self.paths: list[str] = []
        self.address = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        self.server.paths.append(self.path)
        how = self.server.how if self.path == self.server.spoiled else ""
        body = self.server.files[self.path]
        if how == "missing":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if how == "interrupted" else body[::-1] if how == "wrong" else body)


@pytest.fixture
def serve(tmp_path, monkeypatch):
    """Start a server with the given files, and let downloads go to an empty cache."""
    started = []

    def start(files: dict[str, bytes]) -> Server:
        server = Server(files)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        started.append((server, thread))
        return server

    monkeypatch.setenv("LLMCOURSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("LLMCOURSE_DATA", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield start
    for server, thread in started:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def files_in_cache(tmp_path):
    """List the files in the cache of `serve`."""

    def files_in() -> set[str]:
        folder = tmp_path / "cache"
        return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}

    return files_in
