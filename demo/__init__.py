"""What `make run` adds where a real part is missing."""
