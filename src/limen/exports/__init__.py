"""Thresholds carried to where decisions are made: SQL, Polars, Hugging Face, BirdNET."""
