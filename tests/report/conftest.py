import base64
import io
from html.parser import HTMLParser

import numpy as np
from PIL import Image


class Elements(HTMLParser):
    """The elements of a page, as (tag, attributes), and its text."""

    def __init__(self, html):
        super().__init__()
        self.found, self.text = [], ""
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text += data

    def all(self, tag):
        return [attributes for name, attributes in self.found if name == tag]


def pictures(html):
    """The pictures of a page, by their texts."""
    return {
        image["alt"]: np.asarray(Image.open(io.BytesIO(base64.b64decode(image["src"].partition(",")[2]))), int)
        for image in Elements(html).all("img")
    }
