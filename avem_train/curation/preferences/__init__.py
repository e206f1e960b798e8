"""Chosen and rejected responses put together and checked: pure functions of a row and what a model wrote."""
