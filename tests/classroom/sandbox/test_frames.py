"""Frames on a socket."""

import socket
import sys
import threading

import pytest

from llmcourse.classroom.sandbox import frames

linux = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")


def test_a_frame_that_trickles_in_is_not_waited_for():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"R" + (100).to_bytes(8, "little") + b"x")
        stop = threading.Event()

        def trickle():
            while not stop.wait(0.05):
                theirs.sendall(b"x")

        thread = threading.Thread(target=trickle)
        thread.start()
        with pytest.raises(TimeoutError):
            frames.receive(ours, 0.3)
        stop.set()
        thread.join()


def test_one_who_does_not_read_is_not_waited_for():
    ours, theirs = socket.socketpair()
    with ours, theirs, pytest.raises(TimeoutError):
        frames.send(ours, frames.REQUEST, bytes(2**23), 0.2)


@pytest.mark.parametrize("sent", [b"X" + bytes(8), b"R" + (frames.MAX_FRAME + 1).to_bytes(8, "little"), b"R123"])
def test_what_is_no_frame_closes_the_socket(sent):
    ours, theirs = socket.socketpair()
    with ours:
        theirs.sendall(sent)
        theirs.close()
        with pytest.raises(frames.ChannelClosedError):
            frames.receive(ours, 1.0)


def test_frames_come_back_as_they_were_sent():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for content in (b"", b"x", bytes(range(256)) * 7):
            frames.send(ours, frames.CALLBACK, content, 1.0)
            assert frames.receive(theirs, 1.0) == (frames.CALLBACK, content)
