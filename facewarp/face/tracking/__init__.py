"""Track faces: registration -> confidence -> track -> identities -> tracker -> record."""
