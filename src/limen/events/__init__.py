"""Sound events: settings and thresholds tuned together, from frame scores to timed events."""
