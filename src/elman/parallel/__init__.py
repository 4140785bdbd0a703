"""Several processes that train as one: how they talk, and how a batch and an update are shared among them."""
