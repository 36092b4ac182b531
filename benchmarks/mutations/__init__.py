"""Seeded damage to recordings, and what readers make of it. Used by ``mutated_files.py``."""
