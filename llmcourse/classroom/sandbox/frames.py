"""Frames on a socket: one letter for the kind, eight bytes of length, the content."""

import socket
import struct
import time

from llmcourse.checking.values import MAX_BYTES

MAX_FRAME = MAX_BYTES + 64
TIMES = struct.Struct("<dd")  # a request begins with the seconds that it may take: of computing, and by the clock
REQUEST, REPLY, CALLBACK, ANSWER = b"Q", b"R", b"C", b"A"


class ChannelClosedError(ConnectionError):
    """Says that the other side is gone, or sent something that is no frame."""


def send(channel: socket.socket, kind: bytes, content: bytes, seconds: float | None = None) -> None:
    """Send one frame.

    Raises:
        ChannelClosedError: the other side is gone.
        TimeoutError: it did not read all of it within so many seconds.
    """
    try:
        channel.settimeout(seconds)
        channel.sendall(kind + len(content).to_bytes(8, "little"))
        channel.sendall(content)
    except TimeoutError:
        raise
    except OSError as error:
        raise ChannelClosedError(str(error)) from None


def receive(channel: socket.socket, seconds: float | None = None) -> tuple[bytes, bytes]:
    """Receive one frame.

    Args:
        channel: a connected socket.
        seconds: how long to wait for the whole frame; None waits for ever.

    Returns:
        The kind and the content.

    Raises:
        ChannelClosedError: the other side is gone or sent something that is no frame.
        TimeoutError: the frame was not complete in time.
    """
    deadline = None if seconds is None else time.monotonic() + seconds
    head = _read(channel, 9, deadline)
    kind, length = head[:1], int.from_bytes(head[1:], "little")
    if kind not in (REQUEST, REPLY, CALLBACK, ANSWER) or length > MAX_FRAME:
        raise ChannelClosedError("received something that is no frame")
    return kind, _read(channel, length, deadline)


def _read(channel: socket.socket, length: int, deadline: float | None) -> bytes:
    parts = bytearray()
    while len(parts) < length:
        left = None if deadline is None else deadline - time.monotonic()
        if left is not None and left <= 0:
            raise TimeoutError
        try:
            channel.settimeout(left)
            part = channel.recv(min(length - len(parts), 2**20))
        except TimeoutError:
            raise
        except OSError as error:
            raise ChannelClosedError(str(error)) from None
        if not part:
            raise ChannelClosedError("the connection was closed")
        parts += part
    return bytes(parts)
