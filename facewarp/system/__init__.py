"""The operating system: machine, memory, user folders, and files that appear only whole."""
