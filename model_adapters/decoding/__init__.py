"""Contrastive decoding against noised media (VCD)."""
