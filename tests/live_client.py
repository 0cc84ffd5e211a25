"""A client of the live stream at /ws: what a caller hears, live and of what was missed."""
import json
from contextlib import contextmanager

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

SECONDS = 10


class Stream:
    def __init__(self, socket):
        self.socket = socket

    def send(self, **message):
        self.socket.send(json.dumps(message))

    def receive(self):
        return json.loads(self.socket.recv(timeout=SECONDS))

    def expect(self, kind):
        message = self.receive()
        assert message["type"] == kind, message
        return message

    def reply(self, kind):
        """The answer to what was sent, behind events that were under way."""
        message = self.receive()
        while message["type"] == "event":
            message = self.receive()
        assert message["type"] == kind, message
        return message

    def event(self):
        return self.expect("event")["event"]

    def events_until(self, event_type, subject):
        """All up to this event."""
        events = [self.event()]
        while (events[-1]["type"], events[-1]["subject"]) != (event_type, subject):
            events.append(self.event())
        return events

    def story(self, subject, count):
        """All until so many are about the subject. Of services that run apart, any of them may be the last."""
        events = []
        while len([event for event in events if event["subject"] == subject]) < count:
            events.append(self.event())
        return events


@contextmanager
def stream(api, query="", **options):
    headers = {"Authorization": f"Bearer {api.token}"} if api.token else {}
    with connect(api.platform.ws_url + query, additional_headers=headers, proxy=None, close_timeout=2,
                 **options) as socket:
        yield Stream(socket)


@contextmanager
def ready(api, query="", **options):
    with stream(api, query, **options) as opened:
        opened.ready = opened.expect("ready")
        yield opened


def closed_with(opened, seconds=SECONDS):
    """The code with which the server ends the stream."""
    with pytest.raises(ConnectionClosed) as ended:
        while True:
            opened.socket.recv(timeout=seconds)
    return ended.value.rcvd.code
