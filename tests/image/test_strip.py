"""Where a photograph was taken is left out on demand, in every form in which files tell it, and all else is kept."""

from __future__ import annotations

import io
import struct

import pytest
from PIL import Image as Pillow
from PIL import IptcImagePlugin

from resolvent.image import encode_image, read_image
from resolvent.image.exif import PREFIX
from resolvent.image.iptc import placeless_resources
from resolvent.image.place import placeless_exif, placeless_xmp
from resolvent.image.strip import stripped
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
    packet = b'<a xmlns:state="u" dc:City2="x" crs:Relocation="x"><rdf:Alt>a:City="x"</rdf:Alt><!-- <a:City> --></a>'
    assert placeless_xmp(packet) == packet


@pytest.mark.parametrize(
    "packet",
    [
        b'<a><City xmlns="http://ns.adobe.com/photoshop/1.0/">Essen</City></a>',
        b"<a><b:City><![CDATA[</b:City>Essen]]></b:City></a>",
        b"<a><b:City q='>'><b:City>x</b:City>Essen</b:City></a>",
        b'<a b:city="Essen" b:Province-State = \'Essen\' dwc:locality="Essen" drone-dji:AbsoluteAltitude="Essen"/>',
        '<a b:City="Essen"/>'.encode("utf-16"),
        b'<a b:City="Essen">',
        b'<!DOCTYPE a [<!ENTITY e "Essen">]><a><b:City>&e;</b:City></a>',
    ],
    ids=["default namespace", "CDATA", "nested", "other names", "UTF-16", "damaged", "entity"],
)
def test_xmp_in_any_form_tells_no_place(packet: bytes) -> None:
    """What cannot be read is left out as a whole, and that is said."""
    image = read_image(jpeg(segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet)))
    public = stripped(image, "gps")
    data = encode_image(public, "jpeg")
    assert b"Essen" not in data
    assert "Essen".encode("utf-16-le") not in data
    lost = "its XMP cannot be read, and may tell the place: left out"
    assert (public.metadata.xmp is None) == (lost in public.warnings)


@pytest.mark.parametrize("order", ["<", ">"])
def test_exif_tells_no_place_wherever_it_is_held(order: str) -> None:
    """The GPS directory of another directory, of odd types and counts; text of EXIF 3.0; copies of XMP and IPTC."""

    def directory(entries: list[tuple[int, int, int, bytes]], following: int = 0) -> bytes:
        rows = [struct.pack(order + "HHI", *entry[:3]) + entry[3] for entry in entries]
        return struct.pack(order + "H", len(rows)) + b"".join(rows) + struct.pack(order + "I", following)

    def at(place: int) -> bytes:
        return struct.pack(order + "I", place)

    secret = b"Essen, Zollverein 1\0"
    first = directory([(700, 1, 20, at(400)), (0x8769, 4, 1, at(100)), (0x8825, 9, 2, at(200))], 300)
    inner = directory([(0x8825, 13, 1, at(240)), (0x927C, 7, 20, at(460))])
    gps = [directory([(number, kind, 20, at(place))]) for number, kind, place in ((27, 129, 420), (28, 99, 440))]
    thumbnail = directory([(0x8825, 4, 1, at(340))])
    block = bytearray(b"II*\0" if order == "<" else b"MM\0*") + at(8) + bytes(500)
    places = {8: first, 100: inner, 200: gps[0], 240: gps[1], 300: thumbnail, 340: gps[0], 400: 4 * secret}
    for place, data in places.items():
        block[place : place + len(data)] = data
    block[460:480] = b"kept in maker notes\0"
    assert bytes(block).count(b"Essen") == 3
    assert b"Essen" not in placeless_exif(PREFIX + block)
    assert b"kept in maker notes" in placeless_exif(PREFIX + block)


@pytest.mark.parametrize(
    "keyword",
    ["GPS Position", "exif:GPSLatitude ", "city", "Province-State", "GeoLocation", "raw profile type exif"],
)
def test_text_of_a_png_tells_no_place(keyword: str) -> None:
    image = read_image(png(chunk(b"tEXt", keyword.encode() + b"\0Essen"), chunk(b"tEXt", b"Author\0Zoe")))
    data = encode_image(stripped(image, "gps"), "png")
    assert (b"Essen" in data, b"Zoe" in data) == (False, True)


def test_iptc_behind_a_byte_of_padding_is_kept() -> None:
    padded = dataset(90, b"Essen") + bytes(1) + dataset(116, b"(c) Zoe")
    assert placeless_resources(resource(0x0404, padded)) == resource(0x0404, dataset(116, b"(c) Zoe"))
