"""Ablation studies of neural networks: from the design to the paper, with honest statistics."""
