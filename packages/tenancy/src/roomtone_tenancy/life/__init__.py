"""What happens to a tenant after it was made: its door, backups, copies, moves and end. `Tenancy` is the way in."""
