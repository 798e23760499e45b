"""Pages of scheduling: Today, the calendar, bookings, a client's bookings, and setting rooms up."""

from studio.contexts.scheduling.views import bookings, calendar, clients, new_booking, onboarding, setup, today  # noqa: F401  # they add their pages to it
from studio.contexts.scheduling.views.pages import blueprint

__all__ = ["blueprint"]
