"""The engine: one loop for everything that is trained, in folders that a killed run goes on from. It knows no task.

Importing this package imports neither Keras nor TensorFlow; a run does.
"""
