"""The preflight: why an object cannot be pickled, where, and what to do.

`check` holds the faces, `classify` finds the reason behind each place where a
pickler would stop, `paths` spells places in Python, `remedies` writes fixes
with the object's own names, `roundtrip` and `silent` look at what comes back,
`context` at what other start methods need. The walk itself is Rust.
"""
