"""Who the studio is: its name, zone, money, language, colours, and how far its set-up has come."""
