"""Two hundred thousand altered signatures and bodies at the endpoint: no 5xx, and nothing that Stripe did not sign is accepted."""

from __future__ import annotations

import io
import json
import random

import pytest
from flask import Flask

from roomtone_billing.flask import blueprint
from roomtone_billing.signature import sign

SECRET = "whsec_stories"


class Door:
    """The endpoint, asked as a server asks it."""

    def __init__(self, teller) -> None:
        self.app = Flask(__name__)
        self.app.config["PROPAGATE_EXCEPTIONS"] = False
        self.app.register_blueprint(blueprint(teller.billing))
        self.app.logger.disabled = True

    def post(self, body: bytes, header: str) -> int:
        environ = {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": "/stripe/webhook",
            "SCRIPT_NAME": "",
            "QUERY_STRING": "",
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_STRIPE_SIGNATURE": header,
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": io.StringIO(),
            "wsgi.url_scheme": "http",
            "wsgi.version": (1, 0),
            "wsgi.multithread": False,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        status: list[str] = []
        for _ in self.app.wsgi_app(environ, lambda line, headers, error=None: status.append(line)):
            pass
        return int(status[0][:3])


def flipped(data: bytes, dice: random.Random) -> bytes:
    at = dice.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << dice.randrange(8)]) + data[at + 1 :]


def mutated(body: bytes, header: str, at: int, dice: random.Random) -> tuple[bytes, str]:
    """One way to alter what Stripe sent, so that it is no longer what Stripe signed."""
    match dice.randrange(10):
        case 0 | 1 | 2:
            return flipped(body, dice), header
        case 3 | 4:
            # Flipped in its digest: another upper case, another digit, another length.
            return body, header[:-64] + flipped(header[-64:].encode(), dice).decode("latin-1")
        case 5:
            return body[: dice.randrange(len(body))], header
        case 6:
            return body, header[: dice.randrange(len(header))]
        case 7:
            return body, header.replace(f"t={at}", f"t={dice.choice([at + 1, -at, 0, at * 10**6, 'x', '', '1e9'])}")
        case 8:
            return body, header.replace("v1=", dice.choice(["v0=", "v1", "v2=", "=", "v1=v1=", "v1=,v0=", "V1="]))
        case _:
            return dice.randbytes(dice.randrange(60)), dice.randbytes(dice.randrange(90)).decode("latin-1")


def accepted_or_failed(door: Door, now, payload: bytes, *, seed: int, times: int) -> tuple[int, list[tuple[int, bytes, str]]]:
    """How many were sent, and those that did not get a 400."""
    dice, at = random.Random(seed), int(now.timestamp())
    header = sign(payload, secret=SECRET, at=now)
    found = []
    for _ in range(times):
        body, altered = mutated(payload, header, at, dice)
        assert (body, altered) != (payload, header)
        if (status := door.post(body, altered)) != 400:
            found.append((status, body, altered))
    return times, found


def nonsense(event: dict, dice: random.Random) -> bytes:
    """An event with one part of it replaced by something else, as a confused but honest sender would sign it."""
    values = [None, 7, -1, 10**400, "", "x" * 300, "\ud800", "\x00", [], {}, [[]], True, 1e308, {"id": {"id": []}}]
    body = json.loads(json.dumps(event))
    parent = dice.choice([body, body["data"], body["data"]["object"]])
    parent[dice.choice(list(parent))] = dice.choice(values)
    return json.dumps(body).encode()


def test_altered_deliveries_get_a_400_and_leave_nothing(recordings, teller):
    recording = recordings["first purchase"]
    teller.stand_at(recording, 0)
    sent, found = accepted_or_failed(Door(teller), teller.now, recording.steps[0].payloads[0], seed=0, times=2000)

    assert (sent, found) == (2000, [])
    assert teller.billing.inbox() == []


def test_signed_nonsense_never_gets_a_500(recordings, teller):
    recording, dice = recordings["first purchase"], random.Random(1)
    teller.stand_at(recording, 0)
    teller.open([recording])
    door, event = Door(teller), json.loads(recording.steps[0].payloads[0])
    statuses = set()
    for _ in range(1000):
        body = nonsense(event, dice)
        statuses.add(door.post(body, sign(body, secret=SECRET, at=teller.now)))
    teller.drain()

    assert statuses == {200, 400}


@pytest.mark.machine
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("seed", [1, 2])
def test_two_hundred_thousand_altered_deliveries_get_a_400_each(recordings, teller, seed):
    recording = recordings["first purchase"]
    teller.stand_at(recording, 0)
    sent, found = accepted_or_failed(Door(teller), teller.now, recording.steps[0].payloads[0], seed=seed, times=100_000)

    assert (sent, found) == (100_000, [])
    assert teller.billing.inbox() == []
