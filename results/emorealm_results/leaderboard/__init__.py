"""Runs, studies and the paper's numbers as ranked rows, Markdown, plots and a page."""
