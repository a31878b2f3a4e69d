"""Messages in the protocols of other programs, encoded to bytes; no sockets here."""
