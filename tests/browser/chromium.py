"""A real browser without a window: Debian's Chromium, driven by Playwright."""

import contextlib
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from importlib.util import find_spec
from pathlib import Path

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
MISSING = [
    *(["the program chromium"] if CHROMIUM is None else []),
    *(["playwright (the extra `browser`)"] if find_spec("playwright") is None else []),
]
REASON = f"needs {' and '.join(MISSING)}"


@contextlib.contextmanager
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@contextlib.contextmanager
def jupyterlab(folder):
    """The address of a JupyterLab that serves this folder."""
    port = free_port()
    options = ["--no-browser", "--allow-root", f"--port={port}", "--ServerApp.token="]
    options += [f"--ServerApp.root_dir={folder}", "--LabApp.expose_app_in_browser=True"]
    command = [Path(sys.executable).with_name("jupyter"), "lab", *options]
    with (
        open(Path(folder, "jupyter.log"), "w") as log,
        subprocess.Popen(command, stdout=log, stderr=log) as server,
    ):
        try:
            address = f"http://127.0.0.1:{port}/lab"
            wait_for(address)
            yield address
        finally:
            server.terminate()


def execute(page, address, notebook, timeout=300):
    """Open a notebook in JupyterLab and run all its cells."""
    page.goto(f"{address}/tree/{notebook}")
    page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
    status = "window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel?.status"
    page.wait_for_function(f"() => {status} == 'idle'", timeout=60_000)
    page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells') }")
    done = """() => [...document.querySelectorAll(".jp-CodeCell .jp-InputPrompt")]
        .every((prompt) => /\\d/.test(prompt.textContent))"""
    page.wait_for_function(done, timeout=1000 * timeout)


def wait_for(address, within=60):
    deadline = time.monotonic() + within
    while True:
        try:
            urllib.request.urlopen(address).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
