"""Handwritten digits: a convolutional network that says which one a picture shows."""
