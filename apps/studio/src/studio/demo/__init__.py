"""The demo: everything on one machine, seeded, with a mailbox and a time machine; and the check that walks it."""
