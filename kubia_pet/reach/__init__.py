"""How the pods of a set are reached from where one stands: by URL, by DNS from inside, by kubectl."""
