"""The dashboard that ships: one HTML file with the figures of one publication inside."""
