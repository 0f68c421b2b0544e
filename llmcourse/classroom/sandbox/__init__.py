"""Learners' code in processes of its own: a fork server, a supervisor for each submission, and the worker below it."""
