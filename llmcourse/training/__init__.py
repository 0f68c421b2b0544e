"""Training runs that can be stopped at any moment and go on as if nothing had happened, for every task of the course.

Importing this package imports neither Keras nor TensorFlow; a run does.
"""
