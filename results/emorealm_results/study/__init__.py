"""The record of `avem-train study` as the paper's tables and figure."""
