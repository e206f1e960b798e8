"""The rows that stages read and write, and their files."""
