"""The assistant: answers from the studio's own records, proposes bookings, and is paid for by the turn."""
