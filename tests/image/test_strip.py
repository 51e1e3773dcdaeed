"""Where a photograph was taken is left out on demand, in every form in which files tell it, and all else is kept."""

from __future__ import annotations

import io
import struct

import pytest
from PIL import Image as Pillow
from PIL import IptcImagePlugin

from resolvent.image import encode_image, read_image
from resolvent.image.iptc import placeless_resources
from resolvent.image.strip import stripped, without_places
from tests.image.kept import chunk, jpeg, png, segment, tiff

PLACES = {26: b"DEU", 27: b"Zollverein", 90: b"Essen", 92: b"Schacht XII", 95: b"NRW", 100: b"DEU", 101: b"Germany"}
KEPT = {80: b"Zoe", 116: b"(c) Zoe", 120: b"At work"}
SECRETS = [*PLACES.values(), b"51,29", b"7.04"]

XMP = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description rdf:about="" photoshop:City="Essen"
 photoshop:State='NRW' photoshop:Country="Germany" Iptc4xmpCore:CountryCode="DEU"
 xmp:Rating="5" mine:GPSLatitude="51,29N"
 drone-dji:GpsLongtitude="7.04" drone-dji:Longitude="7.04" Iptc4xmpCore:CiAdrCity="Berlin">
 <Iptc4xmpCore:Location>Schacht XII</Iptc4xmpCore:Location>
 <Iptc4xmpExt:LocationShown><rdf:Bag><rdf:li rdf:parseType="Resource"><Iptc4xmpExt:City>Essen</Iptc4xmpExt:City>
 <Iptc4xmpExt:Sublocation>Zollverein</Iptc4xmpExt:Sublocation><exif:GPSLatitude>51,29N</exif:GPSLatitude></rdf:li>
 </rdf:Bag></Iptc4xmpExt:LocationShown><dc:rights>(c) Zoe</dc:rights></rdf:Description></rdf:RDF></x:xmpmeta>"""


def dataset(number: int, value: bytes, *, long: bool = False) -> bytes:
    size = struct.pack(">HI", 0x8004, len(value)) if long else struct.pack(">H", len(value))
    return bytes([0x1C, 2, number]) + size + value


def resource(number: int, content: bytes) -> bytes:
    return b"8BIM" + struct.pack(">HHI", number, 0, len(content)) + content + bytes(len(content) % 2)


def iptc_of(values: dict[int, bytes], *, long: bool = False) -> bytes:
    return b"".join(dataset(number, value, long=long) for number, value in sorted(values.items()))


def resources() -> bytes:
    iptc = iptc_of(PLACES | KEPT)
    return resource(0x0404, iptc) + resource(0x0424, XMP) + resource(0x0425, bytes(16)) + resource(0x03ED, b"dpi")


def test_no_file_tells_the_place() -> None:
    header = b"http://ns.adobe.com/xap/1.0/\0"
    photoshop = resources()
    raw = chunk(b"tEXt", b"Raw profile type iptc\0" + b"Essen") + chunk(b"tEXt", b"exif:GPSLatitude\x0051,29")
    extra = [(34377, 7, len(photoshop), photoshop, True), (700, 7, len(XMP), XMP, True)]
    files = {
        "jpeg": jpeg(segment(0xE1, header + XMP), segment(0xED, b"Photoshop 3.0\0" + photoshop)),
        "tiff": tiff(extratags=extra),
        "png": png(chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP), raw, chunk(b"tEXt", b"Author\0Zoe")),
    }
    for kind, data in files.items():
        image = read_image(data)
        assert b"Essen" in encode_image(image, kind)
        public = encode_image(stripped(image, "gps"), kind)
        assert not [secret for secret in SECRETS if secret in public], kind
        assert b'xmp:Rating="5"' in public
        assert b"<dc:rights>(c) Zoe</dc:rights>" in public
        assert b'CiAdrCity="Berlin"' in public
        assert b"Zoe" in public


@pytest.mark.parametrize("long", [False, True])
def test_other_iptc_stays_as_it_stands(long: bool) -> None:
    given, left = (resource(0x0404, iptc_of(values, long=long)) for values in (PLACES | KEPT, KEPT))
    assert placeless_resources(given) == left


def test_other_iptc_is_read_as_before() -> None:
    image = read_image(jpeg(segment(0xED, b"Photoshop 3.0\0" + resources())))
    public = Pillow.open(io.BytesIO(encode_image(stripped(image, "gps"), "jpeg")))
    assert IptcImagePlugin.getiptcinfo(public) == {(2, number): value for number, value in KEPT.items()}


def test_damaged_iptc_is_kept_up_to_the_damage() -> None:
    good, behind = dataset(80, b"Zoe"), dataset(90, b"Essen")
    for damage in (b"\x1c", b"\x1c\x02\x78\xff\xff", b"\x1c\x02\x78\x00\xff", b"?"):
        for iptc in (good + damage + behind, good + behind + damage):
            assert placeless_resources(resource(0x0404, iptc)) == resource(0x0404, good)
    assert placeless_resources(resource(0x0404, behind)) is None


def test_properties_of_other_names_are_kept() -> None:
    packet = b'<a dc:City2="x" crs:Relocation="x" a:Alternative="x" City="x"><rdf:Alt>x</rdf:Alt></a>'
    assert without_places(packet) == packet
