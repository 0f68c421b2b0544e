"""Criteria against a worker: submissions found and read, graded, and written down as results."""
