"""Frames on a socket: one letter for the kind, eight bytes of length, the content."""

import socket
import time
from collections.abc import Callable

MAX_FRAME = 520 * 2**20
SLICE = 0.5  # seconds between two looks at whether the other side still lives

REQUEST, REPLY, CALLBACK, ANSWER = b"Q", b"R", b"C", b"A"


class ChannelClosedError(ConnectionError):
    """Says that the other side is gone, or sent something that is no frame."""


def send(channel: socket.socket, kind: bytes, content: bytes, seconds: float | None = None) -> None:
    """Send one frame.

    Raises:
        ChannelClosedError: the other side is gone.
        TimeoutError: it did not read for so many seconds.
    """
    channel.settimeout(seconds)
    try:
        channel.sendall(kind + len(content).to_bytes(8, "little"))
        channel.sendall(content)
    except TimeoutError:
        raise
    except OSError as error:
        raise ChannelClosedError(str(error)) from None


def receive(
    channel: socket.socket, seconds: float | None = None, alive: Callable[[], bool] = lambda: True
) -> tuple[bytes, bytes]:
    """Receive one frame.

    Args:
        channel: a connected socket.
        seconds: how long to wait for the whole frame; None waits for ever.
        alive: asked now and then while nothing comes; False ends the waiting.

    Returns:
        The kind and the content.

    Raises:
        ChannelClosedError: the other side is gone or sent something that is no frame.
        TimeoutError: the frame was not complete in time.
    """
    deadline = None if seconds is None else time.monotonic() + seconds
    head = _read(channel, 9, deadline, alive)
    kind, length = head[:1], int.from_bytes(head[1:], "little")
    if kind not in (REQUEST, REPLY, CALLBACK, ANSWER) or length > MAX_FRAME:
        raise ChannelClosedError("received something that is no frame")
    return kind, _read(channel, length, deadline, alive)


def _read(channel: socket.socket, length: int, deadline: float | None, alive: Callable[[], bool]) -> bytes:
    parts = bytearray()
    while len(parts) < length:
        left = SLICE if deadline is None else min(SLICE, deadline - time.monotonic())
        if left <= 0:
            raise TimeoutError
        channel.settimeout(left)
        try:
            part = channel.recv(min(length - len(parts), 2**20))
        except TimeoutError:
            if not alive():
                raise ChannelClosedError("the process ended") from None
            continue
        except OSError as error:
            raise ChannelClosedError(str(error)) from None
        if not part:
            raise ChannelClosedError("the connection was closed")
        parts += part
    return bytes(parts)
