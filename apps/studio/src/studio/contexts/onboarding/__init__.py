"""A new studio's first ten minutes: rooms, opening hours, rates, and then the calendar."""
