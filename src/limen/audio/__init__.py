"""Recordings in, frame scores, tags and timed events out."""
