"""Data sets: small real ones inside the installation, larger ones from a folder or downloaded once.

Importing this package costs no more than NumPy: whatever is heavier is imported when a data set is loaded.
"""

from llmcourse.data.mnist import Mnist, load_mnist
from llmcourse.data.store import DataError

__all__ = ["DataError", "Mnist", "load_mnist"]
