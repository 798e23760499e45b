"""A provider's model runs through the same code, here against a provider's protocol on loopback."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import ClassVar

import pytest

from roomtone_ai_credits import CREDIT
from studio.assistant import model

NAME = "anthropic:claude-haiku-4-5"
CALL = {
    "type": "tool_use",
    "id": "call_1",
    "name": "list_bookings",
    "input": {"starts_at": "2026-11-24T00:00", "ends_at": "2026-11-25T00:00"},
}


@pytest.fixture
def provider(monkeypatch):
    """A provider that first asks for a tool and then answers; what it was sent is in `.seen`."""
    replies = [([CALL], "tool_use"), ([{"type": "text", "text": "Luna Park has Studio A."}], "end_turn")]

    class Provider(BaseHTTPRequestHandler):
        seen: ClassVar[list[dict]] = []

        def do_POST(self):
            self.seen.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            content, reason = replies[len(self.seen) - 1]
            usage = {"input_tokens": 7_000, "output_tokens": 100, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 0}
            message = {"id": "m", "type": "message", "role": "assistant", "model": "claude-haiku-4-5", "content": content}
            body = json.dumps({**message, "stop_reason": reason, "stop_sequence": None, "usage": usage}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("ANTHROPIC_API_KEY", "test")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", f"http://127.0.0.1:{server.server_port}")
    yield Provider
    server.shutdown()
    server.server_close()


def test_a_providers_model_reads_through_the_tools_and_is_charged_by_its_tokens(place, provider):
    place.book(14, 4)

    turn = place.ask("what is booked tomorrow?", model=model.make_model(NAME), name=NAME)

    assert turn.answer == "Luna Park has Studio A."
    assert turn.charged_micro == CREDIT + 2_000 * 50  # 14 000 input tokens, of which 12 000 are included
    assert "Luna Park" in json.dumps(provider.seen[1]["messages"])
    assert {tool["name"] for tool in provider.seen[0]["tools"]} == {"list_bookings", "find_free_slots", "price_booking", "propose_booking"}


def test_a_provider_is_told_no_secret_and_no_other_studio(place, provider):
    place.ask("what is booked tomorrow?", model=model.make_model(NAME), name=NAME)

    sent = json.dumps(provider.seen)
    assert place.office.account not in sent
    assert "postgresql" not in sent
    assert "owner" not in sent
