"""The Keras layer: networks, their ingredients, data and training.

The only room that imports Keras; the core reaches it by name. Import what you need from its modules:

- `ablate.keras.graph`, `graph_reader`, `graph_writer`: a functional model as a plain value, read, edited, built again.
- `ablate.keras.ingredients`: what a network is made of, and the network without it.
- `ablate.keras.survey`, `cost`, `diagram`: what a network contains, what it costs, and its picture.
- `ablate.keras.models`: networks in their full form, built from a configuration.
"""
