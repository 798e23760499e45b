"""Everyone the studio deals with, each person or company once."""
