"""What a studio does, one folder per part of its business; each can be deleted with one `rm -r`."""
