"""The command line: `commands` has the interface, `scan` many files, `listing` one pickle."""
