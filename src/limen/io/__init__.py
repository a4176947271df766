"""Ways in: arrays, frames and files."""
