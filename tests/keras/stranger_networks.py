"""Builders of small networks as strangers write them, for images of 8 x 8 digits."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops


class PatchEncoder(layers.Layer):
    """As in the examples of keras.io: its constructor takes no name and no number format."""

    def __init__(self, num_patches, projection_dim):
        super().__init__()
        self.num_patches = num_patches
        self.projection = layers.Dense(units=projection_dim)
        self.position_embedding = layers.Embedding(input_dim=num_patches, output_dim=projection_dim)

    def call(self, patch):
        positions = ops.expand_dims(ops.arange(0, self.num_patches, 1), axis=0)
        return self.projection(patch) + self.position_embedding(positions)


class Gated(layers.Layer):
    """Keras cannot write its argument, a function, and it has no `get_config`."""

    def __init__(self, units, function, **kwargs):
        super().__init__(**kwargs)
        self.units, self.function = units, function
        self.dense = layers.Dense(units)

    def call(self, x):
        return self.function(self.dense(x))


class Penalty(keras.regularizers.Regularizer):
    """Without `get_config`."""

    def __init__(self, strength):
        self.strength = strength

    def __call__(self, x):
        return self.strength * ops.sum(ops.square(x))


class Scaled(keras.initializers.Initializer):
    """Its configuration lacks its argument."""

    def __init__(self, scale=1.0):
        self.scale = scale

    def __call__(self, shape, dtype=None):
        return keras.random.normal(shape, dtype=dtype, seed=3) * self.scale


def below(limit):
    """A constraint that Keras cannot write."""
    return lambda weights: ops.minimum(weights, limit)


def squared_relu(x):
    """An activation of one's own."""
    return ops.square(ops.relu(x))


def transformer(input_shape, classes):
    """A vision transformer after keras.io, with functions and objects that Keras cannot write into a file."""
    inputs = keras.Input(input_shape)
    patches = layers.Reshape((16, -1), name="patches")(inputs)
    x = PatchEncoder(16, 8)(patches)
    for name in ("first", "second"):
        y = layers.LayerNormalization(name=f"{name}_norm")(x)
        y = layers.Dense(
            8,
            activation=tf.nn.swish if name == "first" else squared_relu,
            kernel_regularizer=Penalty(0.01),
            kernel_initializer=Scaled(0.1),
            kernel_constraint=below(0.5),
            name=f"{name}_dense",
        )(y)
        y = layers.Activation(lambda x: x * 1.5, name=f"{name}_activation")(y)
        y = Gated(8, function=squared_relu, name=f"{name}_gated")(y)
        x = layers.Add(name=f"{name}_add")([x, y])
    x = layers.GlobalAveragePooling1D(name="pool")(x)
    return keras.Model(inputs, layers.Dense(classes, activation="softmax", name="classifier")(x), name="transformer")


def sequential(input_shape, classes):
    """A stack of layers."""
    return keras.Sequential(
        [
            keras.Input(input_shape),
            layers.Conv2D(4, 3, activation="relu", name="conv"),
            layers.Dropout(0.2, name="dropout"),
            layers.GlobalAveragePooling2D(name="pool"),
            layers.Dense(classes, activation="softmax", name="classifier"),
        ],
        name="stack",
    )


ENDINGS = {
    "sigmoid": lambda x: layers.Dense(1, activation="sigmoid", name="classifier")(x),
    "logit": lambda x: layers.Dense(1, name="classifier")(x),
    "alone": lambda x: layers.Activation(tf.nn.sigmoid, dtype="float32")(layers.Dense(1, name="classifier")(x)),
    "operation": lambda x: ops.sigmoid(layers.Dense(1, name="classifier")(x)),
    "relu": lambda x: layers.Dense(1, activation="relu", name="classifier")(x),
    "several": lambda x: layers.Dense(10, activation="sigmoid", name="classifier")(x),
    "several_alone": lambda x: ops.sigmoid(layers.Dense(10, name="classifier")(x)),
    "logits": lambda x: layers.Dense(10, name="classifier")(x),
    "softmax": lambda x: layers.Activation("linear")(layers.Softmax()(layers.Dense(10, name="classifier")(x))),
    "shared": lambda x: layers.GlobalAveragePooling1D()(layers.Dense(10, activation="softmax")(x[:, None])),
}


def convolutional(input_shape, ending):
    """A small network with one of the endings above."""
    inputs = keras.Input(input_shape)
    x = layers.Conv2D(8, 3, name="conv")(inputs)
    x = layers.ReLU(name="relu")(layers.BatchNormalization(name="norm", momentum=0.9)(x))
    return keras.Model(inputs, ENDINGS[ending](layers.Flatten(name="flatten")(x)), name="convolutional")


def two_classes():
    """Bright images above, or below."""
    rng = np.random.default_rng(0)
    labels = np.arange(200) % 2
    images = rng.uniform(0, 0.5, (200, 8, 8, 1))
    images[labels == 0, :4] += 0.4
    images[labels == 1, 4:] += 0.4
    return images.astype("float32"), labels


class Weighted(keras.Model):
    """Trains in its own way: on a share of the loss."""

    def __init__(self, inputs, outputs, alpha, power=1, **kwargs):
        super().__init__(inputs, outputs, **kwargs)
        self.alpha, self._exponent = alpha, power
        self.steps = keras.metrics.Sum(name="steps")

    @property
    def metrics(self):
        return [*super().metrics, self.steps]

    def compute_loss(self, *args, **kwargs):
        self.steps.update_state(1.0)
        return super().compute_loss(*args, **kwargs) * self.alpha**self._exponent


class Positional(keras.Model):
    """Its own argument stands in front of those of Keras."""

    def __init__(self, alpha, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.alpha = alpha

    def train_step(self, data):
        return super().train_step(data)


class Nameless(Positional):
    """It does not store its argument."""

    def __init__(self, strength, *args, **kwargs):
        super().__init__(2 * strength, *args, **kwargs)


class Silent(keras.Model):
    """It hides the metrics of Keras."""

    @property
    def metrics(self):
        return []


class Deaf(keras.Model):
    """As in guides to training steps of one's own: it has metrics of its own, and evaluates by those of Keras."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.loss_tracker = keras.metrics.Mean(name="loss")
        self.right = keras.metrics.SparseCategoricalAccuracy(name="accuracy")

    @property
    def metrics(self):
        return [self.loss_tracker, self.right]

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            y_pred = self(x, training=True)
            loss = self.compute_loss(x, y, y_pred)
        self.optimizer.apply(tape.gradient(loss, self.trainable_weights), self.trainable_weights)
        self.loss_tracker.update_state(loss)
        self.right.update_state(y, y_pred)
        return {metric.name: metric.result() for metric in self.metrics}


class Hearing(Deaf):
    """The same, with an evaluation of its own."""

    def test_step(self, data):
        x, y = data
        y_pred = self(x, training=False)
        self.loss_tracker.update_state(self.compute_loss(x, y, y_pred, training=False))
        self.right.update_state(y, y_pred)
        return {metric.name: metric.result() for metric in self.metrics}


class Compiled(keras.Model):
    """It is compiled with further arguments."""

    def compile(self, optimizer, loss_function):
        super().compile(optimizer)


def of_class(input_shape, classes, kind, compiles=False):
    """A network of one of the classes above."""
    inputs = keras.Input(input_shape)
    x = layers.Conv2D(4, 3, padding="same", name="conv")(inputs)
    x = layers.Add(name="add")([layers.BatchNormalization(name="norm")(layers.Conv2D(4, 3, padding="same")(x)), x])
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    outputs = layers.Dense(classes, activation="softmax", name="classifier")(x)
    if kind == "Weighted":
        model = Weighted(inputs, outputs, 0.0, 2, name="own")
    elif kind in ("Positional", "Nameless"):
        model = globals()[kind](0.5, inputs, outputs, name="own")
    else:
        model = globals()[kind](inputs, outputs, name="own")
    if compiles:
        model.compile(keras.optimizers.SGD(0.5), "mse")
    return model


def sharing(input_shape, classes, wrapped=False):
    """A convolution that two nested models and the network share, and a nested model that two others share."""
    shared = layers.Conv2D(4, 3, padding="same", activation="relu", name="shared")
    start = keras.Input((8, 8, 4), name="middle_start")
    middle = keras.Model(start, layers.Conv2D(4, 1, name="inside")(start), name="middle")

    def tower(name, normalized):
        start = keras.Input((8, 8, 4), name=f"{name}_start")
        x = middle(shared(start))
        return keras.Model(start, layers.BatchNormalization(name=f"{name}_norm")(x) if normalized else x, name=name)

    inputs = keras.Input(input_shape, name="image")
    stem = x = layers.Conv2D(4, 1, name="stem")(inputs)
    x = layers.Add(name="first_add")([tower("first", True)(x), x])
    x = layers.Add(name="second_add")([tower("second", False)(x), x])
    x = layers.GlobalAveragePooling2D(name="pool")(shared(x))
    if wrapped:
        rows = layers.TimeDistributed(layers.TimeDistributed(shared), name="wrapped")(stem[:, None, None])
        x = layers.Concatenate()([x, layers.Flatten()(rows)])
    return keras.Model(inputs, layers.Dense(classes, activation="softmax", name="classifier")(x), name="sharing")


class Clipped:
    """An activation that is a method."""

    def __call__(self, x):
        return ops.minimum(ops.relu(x), 1.0)

    def clip(self, x):
        """The same."""
        return self(x)


class Inner(layers.Layer):
    """The layer within it takes the number format of the whole network."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.dense = layers.Dense(units)

    def call(self, x):
        return self.dense(x)


def mixed(input_shape, classes, policy=None, nested=False):
    """A method as an activation; the outputs come from an operation, or from a nested model."""
    if policy is not None:
        keras.config.set_dtype_policy(policy)
    inputs = keras.Input(input_shape)
    x = layers.BatchNormalization(name="norm")(layers.Conv2D(4, 3, name="conv")(inputs))
    x = layers.Activation(Clipped().clip, name="clip")(x)
    x = Inner(4, name="inner")(layers.GlobalAveragePooling2D(name="pool")(x))
    if nested:
        start = keras.Input((4,))
        head = keras.Model(start, layers.Dense(classes, activation="softmax", name="classifier")(start), name="head")
        return keras.Model(inputs, head(x), name="mixed")
    return keras.Model(inputs, ops.softmax(layers.Dense(classes, name="classifier")(x)), name="mixed")


def inverted(input_shape, classes):
    """Two blocks as MobileNetV3 has them: expansion, squeeze-and-excitation, projection; the second one residual."""

    def block(x, size, name):
        y = layers.Conv2D(12, 1, activation="relu", name=f"{name}_expand")(x)
        gates = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_squeeze")(y)
        gates = layers.Conv2D(4, 1, activation="relu", name=f"{name}_reduce")(gates)
        gates = layers.Conv2D(12, 1, activation="hard_sigmoid", name=f"{name}_gates")(gates)
        y = layers.Multiply(name=f"{name}_scale")([y, gates])
        return layers.Conv2D(size, 1, name=f"{name}_project")(y)

    inputs = keras.Input(input_shape)
    x = layers.Conv2D(4, 3, strides=2, name="stem")(inputs)
    x = block(x, 6, "first")
    x = layers.Add(name="second_add")([block(x, 6, "second"), x])
    x = layers.GlobalAveragePooling2D(name="pool")(layers.Conv2D(8, 1, name="last")(x))
    return keras.Model(inputs, layers.Dense(classes, activation="softmax", name="classifier")(x), name="inverted")


def readable(input_shape, classes):
    """Keras reads it from its file if it is given a function."""
    inputs = keras.Input(input_shape)
    x = layers.Conv2D(4, 3, activation=squared_relu, name="conv")(inputs)
    x = layers.Lambda(lambda y: y * 0.5, name="halved")(x)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(inputs, layers.Dense(classes, activation="softmax", name="classifier")(x), name="readable")
