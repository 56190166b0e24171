"""The laboratory's models in JavaScript against NumPy, and what is written for its pages."""

import base64
import json
import re
import shutil
import subprocess

import numpy as np
import pytest
from scipy.special import expit

from aehelpers import data
from docs import laboratory
from tests.test_export_models import applied

needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="needs the program node")
NAMES = sorted(path.stem for path in laboratory.MODELS.glob("*.json"))
RBM = "05_rbm_inpainting-rbm"
PAGES = laboratory.SOURCES.parent / "site" / "lab"


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("laboratory")
    laboratory.write(folder)
    return folder / "lab"


def run(written, expression, given, *scripts):
    """What an expression in JavaScript gives for `given`, in Node."""
    sources = [written / "pad.js", written / "models.js", written / "digits.js"]
    sources += [written / script for script in scripts]
    code = "\n".join(
        [
            "const lab = {};",
            *(path.read_text() for path in sources),
            f"const given = {json.dumps(given)};",
            "const plain = (key, value) => ArrayBuffer.isView(value) ? Array.from(value) : value;",
            f"(async () => console.log(JSON.stringify(await {expression}, plain)))();",
        ]
    )
    done = subprocess.run(["node", "-"], input=code, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def exported(name):
    """The parts of a model, and its rounded weights in double precision."""
    about = json.loads((laboratory.MODELS / f"{name}.json").read_text())
    weights = np.fromfile(laboratory.MODELS / f"{name}.bin", "<f2")
    return about["parts"], weights.astype(np.float64)


def by_numpy(name, part, x):
    parts, weights = exported(name)
    return applied(without_log_var(parts[part]), weights, x)


def without_log_var(layers):
    """What gives the code of an image: the layer of log variances stands beside that of means."""
    return [layer for layer in layers if layer["name"] != "log_var"]


def images_for(name):
    return laboratory.images("fashion-mnist" if name.startswith("03") else "mnist", 20) / 255


def inputs_for(name, rng):
    """20 images for the encoder of a model, and 20 codes for its decoder."""
    parts, _ = exported(name)
    width = next(layer["kernel"]["shape"] for layer in parts["decoder"] if "kernel" in layer)[0]
    inputs = {"encoder": images_for(name), "decoder": 2 * rng.standard_normal((20, width))}
    return {part: inputs[part] for part in parts}


def by_javascript(written, name, inputs):
    apply = "given[part].map((x) => network[part].reduce((x, layer) => layer.apply(x), x))"
    code = f"""(async () => {{
        const network = await lab.model("{name}");
        return Object.fromEntries(Object.keys(given).map((part) => [part, {apply}]));
    }})()"""
    given = {part: x.tolist() for part, x in inputs.items()}
    return run(written, code, given, f"models/{name}.js")


@needs_node
@pytest.mark.parametrize("name", NAMES)
def test_models_in_javascript_agree_with_numpy(written, rng, name):
    inputs = inputs_for(name, rng)
    found = by_javascript(written, name, inputs)
    for part, x in inputs.items():
        np.testing.assert_allclose(found[part], by_numpy(name, part, x), rtol=0, atol=1e-5)


@needs_node
def test_a_clamped_sweep_and_the_free_energy_agree_with_numpy(written, rng):
    """The same uniform numbers give the same states; two chains, so that a mean is taken."""
    image, known = images_for(RBM)[3], np.arange(784) < 392
    uniforms = rng.random(2 * 392 + 2 * (500 + 392))
    code = """(async () => {
        let i = 0;
        const rbm = new Rbm(await lab.model(given.name)), random = () => given.uniforms[i++];
        const chains = new Chains(rbm, given.image, given.known, 2, random);
        const start = chains.states.map((states) => states.slice());
        const { mean, freeEnergy } = chains.sweep(given.temperature);
        return { start, mean, freeEnergy, states: chains.states, used: i };
    })()"""
    given = {"name": RBM, "temperature": 1.5, "uniforms": uniforms.tolist()}
    given |= {"image": image.tolist(), "known": known.tolist()}
    found = run(written, code, given, f"models/{RBM}.js")
    assert found["used"] == len(uniforms)

    _, weights = exported(RBM)
    w, b, a = weights[:392_000].reshape(500, 784), weights[392_000:392_500], weights[392_500:]

    def energy(visible):
        return -visible @ a - np.logaddexp(0, b + w @ visible).sum()

    draws = iter(uniforms)
    starts = [np.where(known, image, 0) for _ in range(2)]
    for visible in starts:
        visible[~known] = [next(draws) < 0.5 for _ in range(392)]
    energies, probabilities, ends = [], [], []
    for visible in starts:
        energies.append(energy(visible))
        hidden = expit((b + w @ visible) / 1.5)
        hidden = np.array([next(draws) < p for p in hidden])
        p = expit((a + hidden @ w) / 1.5)
        probabilities.append(p)
        ends.append([next(draws) < q for q in p[~known]])
    np.testing.assert_allclose(found["mean"], np.mean(probabilities, axis=0), rtol=0, atol=1e-5)
    assert found["freeEnergy"] == pytest.approx(np.mean(energies), abs=1e-5)
    assert (np.array(found["states"])[:, ~known] == ends).all()
    np.testing.assert_allclose(np.array(found["states"])[:, known], [image[known]] * 2, atol=1e-6)


@needs_node
def test_chains_keep_their_own_copy_of_the_mask(written):
    """Whoever draws on the image while the chains run does not change what they know."""
    code = """(async () => {
        const known = Uint8Array.from(given.known);
        const rbm = new Rbm(await lab.model(given.name));
        const chains = new Chains(rbm, given.image, known, 1, seeded(0));
        known.fill(0);
        chains.sweep();
        return chains.states[0];
    })()"""
    image, known = images_for(RBM)[3], np.arange(784) < 392
    given = {"name": RBM, "image": image.tolist(), "known": known.tolist()}
    found = np.array(run(written, code, given, f"models/{RBM}.js"))
    np.testing.assert_allclose(found[known], image[known], atol=1e-6)
    assert set(found[~known]) == {0, 1}


@needs_node
def test_noise_is_that_of_the_notebook(written):
    """The mean over draws is that of `data.mean_of_noise`, from black to white."""
    greys, sigma, n = np.linspace(0, 1, 5), 0.3, 40_000
    image = np.repeat(greys, n)
    code = "withNoise(given.image, given.sigma, seeded(7))"
    found = np.array(run(written, code, {"image": image.tolist(), "sigma": sigma}))
    noisy = found.reshape(5, n)
    expected = data.mean_of_noise(greys[np.newaxis], sigma)[0]
    error = noisy.std(axis=1) / np.sqrt(n)
    assert (np.abs(noisy.mean(axis=1) - expected) < 4 * error).all()
    reference = data.add_gaussian_noise(image[np.newaxis], sigma, 0).reshape(5, n)
    np.testing.assert_allclose(noisy.std(axis=1), reference.std(axis=1), rtol=0.02)


@needs_node
def test_random_numbers_follow_from_their_seed(written):
    code = "[given, given, given + 1].map((seed) => normals(5, seeded(seed)))"
    first, again, other = run(written, code, 3)
    assert first == again
    assert not set(first) & set(other)


def as_mnist(written, images):
    code = "given.map((image) => asMnist(Float32Array.from(image)))"
    return np.array(run(written, code, np.asarray(images).tolist()))


@needs_node
def test_a_drawing_is_centred_and_scaled_as_digits_are(written):
    """A digit elsewhere is moved back; half as large and in a corner, it becomes about itself."""
    digits = images_for(RBM)[:10].reshape(-1, 28, 28)
    moved = np.roll(digits, (1, -2), axis=(1, 2))
    small = np.zeros_like(digits)
    small[:, 1:15, 13:27] = digits.reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4))
    drawings = np.concatenate([digits, moved, small]).reshape(-1, 784)
    found = as_mnist(written, drawings)
    at_home, moved_back, enlarged = found.reshape(3, 10, 784)
    np.testing.assert_allclose(moved_back, at_home, atol=1e-5)
    for one, digit in zip(enlarged, digits, strict=True):
        assert np.corrcoef(one, digit.ravel())[0, 1] > 0.75
    rows, columns = np.indices((28, 28)).reshape(2, -1)
    mass = found.sum(axis=1)
    assert np.abs(found @ rows / mass - 14).max() < 0.3
    assert np.abs(found @ columns / mass - 14).max() < 0.3
    for image in found.reshape(-1, 28, 28) > 0.1:
        sides = [np.ptp(np.flatnonzero(image.any(axis=axis))) + 1 for axis in (0, 1)]
        assert 19 <= max(sides) <= 22


@needs_node
def test_digits_that_are_centred_stay_as_they_are_and_nothing_stays_nothing(written):
    digits = images_for(RBM)
    found = as_mnist(written, [*digits, np.zeros(784)])
    assert np.abs(found[:-1] - digits).mean() < 0.04
    assert not found[-1].any()


def test_scripts_hold_the_committed_weights(written):
    for name in NAMES:
        script = (written / "models" / f"{name}.js").read_text()
        call = re.fullmatch(r'lab\.register\("(.*?)", (\{.*\}), "(.*)"\);\n', script)
        assert call[1] == f"models/{name}"
        assert (
            json.loads(call[2]).items()
            >= json.loads((laboratory.MODELS / f"{name}.json").read_text()).items()
        )
        content = base64.b64decode(call[3])
        assert content == (laboratory.MODELS / f"{name}.bin").read_bytes()


def test_images_are_test_images_that_no_model_was_trained_on(digits, sample):
    shown = {name: laboratory.images(name, n) for name, n in laboratory.FIRST.items()}
    assert {name: pixels.shape for name, pixels in shown.items()} == {
        "mnist": (100, 784),
        "fashion-mnist": (40, 784),
    }
    known = {tuple(image) for image in np.uint8(np.rint(255 * sample.x_test))}
    assert all(tuple(image) in known for image in shown["fashion-mnist"])
    # The sample of MNIST has training images only.
    training = np.concatenate([digits.x_train, digits.x_test])
    training = {tuple(image) for image in np.uint8(np.rint(255 * training))}
    assert not any(tuple(image) in training for image in shown["mnist"])


def test_each_page_has_its_script_and_a_picture():
    found = {}
    for page in PAGES.glob("*.md"):
        text = page.read_text(encoding="utf-8")
        found |= dict(re.findall(r'<div class="lab" data-lab="(\w+)">\n\n@figure (.*)\n', text))
    assert set(found) == {"fill_in", "walk", "between", "denoise", "dream"}
    for name in found:
        assert (laboratory.SOURCES / f"{name}.js").is_file()


def test_a_page_with_its_models_is_at_most_3_mb():
    """Base64 of float16 is as large as the weights once it is packed."""
    sizes = {name: (laboratory.MODELS / f"{name}.bin").stat().st_size for name in NAMES}
    for path in laboratory.SOURCES.glob("*.js"):
        asked = set(re.findall(r'"(\d\d_[\w-]+)"', path.read_text()))
        assert asked <= set(NAMES), path
        assert sum(sizes[name] for name in asked) < 2_900_000, path
