"""Configurations of `accelerate launch` for 1, 8 and 64 GPUs: data parallel, DeepSpeed ZeRO-2 and ZeRO-3, FSDP."""
