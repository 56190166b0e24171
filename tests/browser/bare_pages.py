"""Pages with nothing but a laboratory, around what docs.laboratory writes."""

from docs import laboratory

NAMES = ("fill_in", "walk", "between", "denoise", "dream", "front")
BARE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{name}</title>
<meta name="viewport" content="width=device-width">
<link rel="stylesheet" href="lab/lab.css"><script src="lab/laboratory.js" defer></script>
<main><h1>{name}</h1><div class="lab" data-lab="{name}"><p>A picture.</p></div></main></html>"""


def write_pages(folder):
    laboratory.write(folder)
    for name in NAMES:
        (folder / f"{name}.html").write_text(BARE.format(name=name), encoding="utf-8")
    return folder
