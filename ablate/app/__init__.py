"""The application ``ablate`` on top of the core and the Keras layer: command line, verbs, help, configuration schema.

It reaches the Keras layer by dotted path alone, and nobody imports it.
"""
