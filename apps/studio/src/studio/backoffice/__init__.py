"""The back-office: our own staff look after studios, on a host of their own."""
