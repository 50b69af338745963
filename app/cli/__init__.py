"""Command line: `litestar users ...` and its like."""
