"""The command line: one small file a command that parses, calls and prints."""
