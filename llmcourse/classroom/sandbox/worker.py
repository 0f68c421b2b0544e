"""The untrusted side of grading: started with `-m`, never imported.

One process, the fork server, loads the libraries once and forks a worker for each submission. A worker executes the
learner's cells and answers calls; it holds no criteria, no expected values and no seed.
"""

import gc
import os
import resource
import signal
import socket
import sys
import tempfile
import threading
import types
from pathlib import Path
from typing import Any

from llmcourse.classroom.sandbox import frames
from llmcourse.classroom.sandbox.supervisor import serve_forks

MAX_OPEN_FILES, MAX_FILE_BYTES = 512, 200 * 2**20
MAX_MORE_THREADS = 1000  # of the user, above those there are when grading begins


def main() -> None:
    """Run the fork server on the socket whose number is the first argument; `warm` loads the libraries first."""
    control = socket.socket(fileno=int(sys.argv[1]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the grader's to handle; it closes the socket
    if sys.argv[2] == "warm":
        # Imported and never used before the fork: what starts threads or touches a GPU happens in the workers.
        from llmcourse.data import load_mnist
        from llmcourse.runtime import import_libraries

        import_libraries()
        _import_own()
        load_mnist("small")  # nearly every lesson reads these digits: read once, shared by all workers
        gc.collect()
        gc.freeze()  # keeps the collector from writing to pages that all workers share
    most_threads = _threads_of_this_user() + MAX_MORE_THREADS
    control.sendall(b"ready\n")
    serve_forks(control, lambda request, handle: work(request, handle, most_threads))


def work(request: dict[str, Any], handle: int, most_threads: int) -> None:
    """Turn a forked process into a worker and answer the grader until it closes the channel."""
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    channel = socket.socket(fileno=handle)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    folder = request["folder"]
    os.umask(0o077)
    os.chdir(folder)
    sys.path.insert(0, "")  # as in a notebook, which imports what it wrote beside itself
    os.environ.update(HOME=folder, TMPDIR=folder)
    tempfile.tempdir = None  # looked up once, and already by the libraries
    _limit(request["memory"], most_threads)
    serve(channel)


def _import_own() -> None:
    from llmcourse.checking import local
    from llmcourse.classroom.sandbox import shell

    assert local and shell


def serve(channel: socket.socket) -> None:
    """Execute cells and answer calls, one request after the other."""
    from llmcourse.checking.local import LocalConnection
    from llmcourse.checking.raised import as_plain, describe_error
    from llmcourse.checking.values import encode
    from llmcourse.classroom.sandbox.shell import NotebookHost

    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    _leave_out_the_checks()
    connection = LocalConnection(vars(module), NotebookHost)
    one_at_a_time = threading.Lock()  # a learner's threads may call back, too

    def ask(message: bytes) -> bytes:
        # The time limit's signal waits, so that it never cuts a frame in two.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
        try:
            with one_at_a_time:
                frames.send(channel, frames.CALLBACK, message)
                return frames.receive(channel)[1]
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    while True:
        try:
            content = frames.receive(channel)[1]
        except frames.ChannelClosedError:
            return
        seconds, by_clock = frames.TIMES.unpack_from(content)
        try:
            reply = connection.request(content[frames.TIMES.size :], ask, seconds, by_clock)
        except KeyboardInterrupt as error:  # nobody can press a key here: the learner's code raised it
            reply = encode({"raised": as_plain(describe_error(error, vars(module)))})
        frames.send(channel, frames.REPLY, reply)


def _leave_out_the_checks() -> None:
    """Put an idle `lesson` in the place of the real one: here the criteria are run from outside."""
    from llmcourse import checking
    from llmcourse.classroom.sandbox.shell import Idle

    checking.lesson = lambda *args, **kwargs: Idle()  # type: ignore[assignment]


def _limit(memory: int, most_threads: int) -> None:
    """Limit what a worker may take; the address space stays free, since TensorFlow reserves more than it uses."""
    limits = {"RLIMIT_CORE": 0, "RLIMIT_FSIZE": MAX_FILE_BYTES, "RLIMIT_NOFILE": MAX_OPEN_FILES}
    if sys.platform == "linux":
        limits["RLIMIT_DATA"] = memory + _status("self", "VmData:") * 1024  # what the fork inherited comes on top
        limits["RLIMIT_NPROC"] = most_threads  # the system does not apply it to root
    for name, value in limits.items():
        kind = getattr(resource, name)
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (value, value))


def _threads_of_this_user() -> int:
    folders = [path for path in Path("/proc").glob("[0-9]*") if _status(path.name, "Uid:") == os.getuid()]
    return sum(_status(path.name, "Threads:") for path in folders)


def _status(process: str, key: str) -> int:
    """Read a number from a process's status; -1 where there is none."""
    try:
        lines = Path(f"/proc/{process}/status").read_text(errors="replace").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(key))
    except (OSError, StopIteration, ValueError):
        return -1


if __name__ == "__main__":
    main()
