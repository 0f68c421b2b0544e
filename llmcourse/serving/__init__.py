"""A trained model in service, without the libraries it was trained with."""
