"""Several processes that train as one: who they are, and how a batch is shared among them."""
