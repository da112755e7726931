"""What a picture says, read from its SVG: its texts, and the ids of what is drawn."""

import re
from xml.etree import ElementTree as ET

from matplotlib.figure import Figure

from koshel.pictures.drawing import rendered

_SVG = "{http://www.w3.org/2000/svg}"


class Drawn:
    """A picture as SVG."""

    def __init__(self, svg: bytes) -> None:
        self.tree = ET.fromstring(svg)  # noqa: S314  our own
        self.texts = ["".join(one.itertext()).strip() for one in self.tree.iter(f"{_SVG}text")]
        self.ids = [one.attrib["id"] for one in self.tree.iter() if "id" in one.attrib]

    @classmethod
    def of(cls, figure: Figure) -> "Drawn":
        """A picture, drawn."""
        return cls(rendered(figure, "svg"))

    def text(self, id_: str) -> str:
        """The text that has this id."""
        (found,) = [one for one in self.tree.iter() if one.attrib.get("id") == id_]
        return "".join(found.itertext()).strip()

    def points(self, id_: str) -> list[tuple[float, float]]:
        """The corners of what has this id, as the file has them: y grows downwards."""
        (found,) = [one for one in self.tree.iter() if one.attrib.get("id") == id_]
        path = next(found.iter(f"{_SVG}path")).attrib["d"]
        return [(float(x), float(y)) for x, y in re.findall(r"[ML] ([-\d.]+) ([-\d.]+)", path)]
