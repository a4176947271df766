"""Engines that hold the data: limen's own summary of each part runs there, and the summaries are merged."""
