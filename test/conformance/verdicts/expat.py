"""What expat makes of documents: each comes with its length in four bytes, each answer is a line of JSON.

The answer has the kind of verdict, the place of the error or of what XMPP does not allow, the places where elements of the
first level end, and a checksum of their trees.
"""
import json
import struct
import sys
import zlib
from xml.parsers import expat

SEPARATOR = "\x0c"


class Restricted(Exception):
    """Something that XML allows and a stream does not."""


def split(name):
    uri, _, local = name.rpartition(SEPARATOR)
    return [uri or None, local]


class Reader:
    def __init__(self):
        self.ends = []
        self.crc = 0
        self.open = []
        self.text = ""
        self.has_just_begun = False
        self.parser = expat.ParserCreate("UTF-8", SEPARATOR)
        self.parser.ordered_attributes = True
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = self.end
        self.parser.CharacterDataHandler = self.characters
        self.parser.CommentHandler = self.parser.ProcessingInstructionHandler = self.restricted
        self.parser.StartDoctypeDeclHandler = self.parser.XmlDeclHandler = self.restricted
        self.parser.StartCdataSectionHandler = self.cdata

    def restricted(self, *_):
        raise Restricted

    def cdata(self):
        if len(self.open) < 2:
            raise Restricted

    def flush(self):
        if self.text and len(self.open) > 1:
            self.open[-1].append(self.text)
        self.text = ""

    def start(self, name, attributes):
        self.flush()
        pairs = [[*split(key), value] for key, value in zip(attributes[::2], attributes[1::2])]
        pairs.sort(key=lambda pair: (pair[0] or "", pair[1]))
        node = [split(name), pairs] if self.open else []
        self.open.append(node)
        self.has_just_begun = True

    def end(self, _):
        is_empty = self.has_just_begun and not self.text
        self.has_just_begun = False
        self.flush()
        node = self.open.pop()
        if len(self.open) == 1:
            self.ends.append(self.after_end(is_empty))
            self.crc = zlib.crc32(json.dumps(node, ensure_ascii=False, separators=(",", ":")).encode(), self.crc)
        elif self.open:
            self.open[-1].append(node)

    def byte(self):
        at = self.parser.CurrentByteIndex
        return self.document[at : at + 1]

    def after_end(self, is_empty):
        """Behind the tag that is being read: the place is its beginning, or the end of the tag of an empty element."""
        at = self.parser.CurrentByteIndex
        if is_empty and self.document[at - 2 : at] == b"/>":
            return at
        return self.document.index(b">", at) + 1

    def characters(self, text):
        # White space may stand between stanzas, but not as a reference.
        if len(self.open) == 1 and (text.strip(" \t\r\n") or self.byte() == b"&"):
            raise Restricted
        self.text += text

    def read(self, document):
        self.document = document
        try:
            self.parser.Parse(document, True)
            return {"verdict": "taken", "at": len(document)}
        except Restricted:
            return {"verdict": "restricted", "at": self.parser.CurrentByteIndex}
        except expat.ExpatError as error:
            return {"verdict": "refused", "at": self.parser.ErrorByteIndex, "code": error.code}


def main():
    source, sink = sys.stdin.buffer, sys.stdout
    while True:
        head = source.read(4)
        if len(head) < 4:
            return
        document = source.read(struct.unpack("<I", head)[0])
        reader = Reader()
        answer = reader.read(document)
        sink.write(json.dumps({**answer, "ends": reader.ends, "crc": reader.crc}) + "\n")
        sink.flush()


main()
