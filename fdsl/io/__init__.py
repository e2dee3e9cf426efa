"""Files, records, locks, escaping and worker processes."""
