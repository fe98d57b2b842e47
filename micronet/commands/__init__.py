"""One thin module a verb, each with ``run(…) -> int``, the exit code; only these print."""
