"""A tenant's data as one file that any program can read: a zip of a manifest and of a file of JSON lines for each table."""
