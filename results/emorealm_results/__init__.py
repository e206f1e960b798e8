"""Reads what runs left behind: tables, audits, comparisons."""
