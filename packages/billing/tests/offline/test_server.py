"""Served over HTTP: the SDK unchanged, the courier at work, and a kill at the worst moment."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from queue import Queue
from threading import Thread
from urllib.request import Request, urlopen

import pytest
import stripe
from click.testing import CliRunner

from roomtone_billing.offline.cli import offline_stripe


class Receiver:
    """A webhook endpoint on a free port; `events` fills with payloads. Its first answer can be withheld."""

    def __init__(self) -> None:
        self.events: Queue[dict] = Queue()
        received = self.events

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                received.put({"event": json.loads(body), "signature": self.headers["Stripe-Signature"], "body": body})
                self.send_response(200)
                self.end_headers()

            def log_message(self, *args):
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        self.thread = Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})
        self.thread.start()

    def stop(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.stop()


def start(store, webhook_url):
    """Start the command in a process of its own; return it and its address."""
    code = "from roomtone_billing.offline.cli import offline_stripe; offline_stripe()"
    command = [sys.executable, "-u", "-c", code, "--port", "0", "--store", str(store), "--webhook-url", webhook_url]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    line = process.stdout.readline()
    assert "this is not Stripe" in line
    return process, next(word for word in line.split() if word.startswith("http://"))


def connect(url):
    return stripe.StripeClient("sk_test_x", base_addresses={"api": url}, max_network_retries=0)


def stop(process, how=signal.SIGINT):
    os.kill(process.pid, how)
    process.wait(timeout=20)
    process.stdout.close()


def test_a_killed_server_keeps_every_acknowledged_write_and_undelivered_event(tmp_path, receiver):
    store = tmp_path / "store.sqlite"
    process, url = start(store, "http://127.0.0.1:9/nobody-listens")
    client = connect(url)
    written = [client.v1.customers.create({}).id for _ in range(10)]
    stop(process, signal.SIGKILL)
    process, url = start(store, receiver.url)
    client = connect(url)
    kept = [each.id for each in client.v1.customers.list({"limit": 100}).data]
    urlopen(Request(f"{url}/offline/advance", b'{"seconds": 3600}', {"Content-Type": "application/json"})).close()
    delivered = {receiver.events.get(timeout=30)["event"]["data"]["object"]["id"] for _ in written}
    stop(process)

    assert kept == written[::-1]
    assert delivered == set(written)


def test_the_courier_delivers_by_itself_what_was_left_undelivered(tmp_path, receiver):
    store = tmp_path / "store.sqlite"
    process, url = start(store, receiver.url)
    client = connect(url)
    customer = client.v1.customers.create({})
    got = receiver.events.get(timeout=30)
    stop(process)

    assert got["event"]["data"]["object"]["id"] == customer.id
    assert client.construct_event(got["body"], got["signature"], "whsec_offline").type == "customer.created"


def test_the_command_explains_itself():
    answer = CliRunner().invoke(offline_stripe, ["--help"])

    assert answer.exit_code == 0
    assert "Not Stripe, no money" in answer.output
