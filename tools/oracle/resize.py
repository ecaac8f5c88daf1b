"""Golden numbers for src/formats/resize.ts: PIL's Lanczos on a synthetic picture.

    python tools/oracle/resize.py > src/formats/golden/resize.json

Made with Pillow (version inside the file). The picture is a formula, repeated in resize.test.ts.
"""
import base64
import json

import numpy as np
import PIL
from PIL import Image

W, H = 61, 47
y, x, c = np.mgrid[0:H, 0:W, 0:3]
noise = (x * 7919 + y * 104729 + c * 1299709) % 41
tiles = np.where((x // 16 + y // 16) % 2 == 0, 60, 150)  # hard edges, far enough from 0 and 255 for no overshoot to clip
picture = (tiles + noise + (x + y * c) // 4).astype(np.uint8)
image = Image.fromarray(picture)
cases = [
    {
        "width": w,
        "height": h,
        "rgb": base64.b64encode(np.asarray(image.resize((w, h), Image.LANCZOS)).tobytes()).decode(),
    }
    for w, h in [(32, 24), (13, 47), (96, 80)]
]
print(json.dumps({"pillow": PIL.__version__, "cases": cases}, indent=1))
