"""Read and write email: pure functions from bytes and values to values."""
