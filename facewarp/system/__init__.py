"""The operating system: machine, memory, user folders, atomic files."""
