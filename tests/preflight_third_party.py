"""Rows for libraries that people use; each needs its package, a test extra."""
