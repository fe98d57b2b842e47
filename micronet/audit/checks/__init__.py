"""The checks of an audit, a small class each: what it looks for, and what to do about it."""
