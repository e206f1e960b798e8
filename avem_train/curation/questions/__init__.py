"""The benchmark's questions put together and checked: pure functions of a described clip and what a model wrote."""
