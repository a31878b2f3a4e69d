"""The command line: parse, call one library function, draw with Rich; one file a command group."""
