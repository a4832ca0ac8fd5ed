"""Decide between images with several people: pairs, votes, and a ranking with its certainty."""
