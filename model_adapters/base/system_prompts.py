"""System prompts that evaluation and training must share."""

QWEN_OMNI = (
    "You are Qwen, a virtual human developed by the Qwen Team, Alibaba Group, capable of perceiving auditory and "
    "visual inputs, as well as generating text and speech."
)
"""Qwen2.5-Omni's, from its model card; without it the official code warns that sound may not work as expected."""
