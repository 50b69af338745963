"""Command line: `litestar users ...` and `litestar developers ...`."""
