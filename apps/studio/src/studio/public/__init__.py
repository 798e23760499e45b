"""A studio's front door for people who are not its staff: its page, and booking a room."""
