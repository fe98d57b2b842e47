"""A submission in one file: built so that the same inputs are the same bytes, read as hostile input."""
