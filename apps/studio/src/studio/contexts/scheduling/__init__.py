"""Rooms, when they are open, what they cost, and who has them when."""
