"""The command line.

`commands` has the interface, `scan` its largest command with `paths`, `batches`, `processes` and
`cluster` behind it, `options` and `output` what all of them share, `listing` one pickle.
"""
