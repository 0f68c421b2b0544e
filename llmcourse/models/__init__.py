"""Models that the lessons build and the later lessons import, tested."""
