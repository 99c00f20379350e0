"""Tables of README and docs, as text, from the JSON files in benchmarks/results."""
