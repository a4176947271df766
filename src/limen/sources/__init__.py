"""What is counted: arrays, sparse matrices, frames and chunks, each a source of blocks."""
