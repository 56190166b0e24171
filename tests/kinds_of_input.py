"""The same images in every form that `fit` takes."""

from aehelpers.models import tf


def kinds_of_input(images, *, targets=False, batch_size=20):
    """What to call `fit` with: its first argument, or two with `targets`, and the others."""

    def endless():
        while True:
            yield from batches

    whole = (images, images) if targets else (images,)
    doubles = tuple(array.astype("float64") for array in whole)  # as NumPy makes them
    batches = tf.data.Dataset.from_tensor_slices(doubles).batch(batch_size)
    n = len(batches)
    given = {
        "array": ({}, whole),
        "tf.data": ({}, (batches,)),
        "generator": ({"steps_per_epoch": n}, (endless(),)),
        "steps_per_epoch": ({"steps_per_epoch": n, "batch_size": batch_size}, whole),
    }
    given["array"][0].update(batch_size=batch_size)
    return {kind: (arguments, settings) for kind, (settings, arguments) in given.items()}
