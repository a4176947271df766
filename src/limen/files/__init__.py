"""Files of scores and labels, read and written."""
