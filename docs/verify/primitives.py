"""What a bundle of Daybook is made of, for verify.py beside this file: signatures, strict JSON, payloads, the tree, notes, items of
control entries. Every function says what is false by raising Bad. The words are those of docs/reference/integrity.md."""
import base64
import bisect
import functools
import hashlib
import json
import re
import struct
from datetime import datetime, timedelta

MAX_LINE = 2 << 20
MAX_SEQ = 1 << 53

class Bad(Exception):
    """Something that is wrong with a line. The lines after it are still read."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


class Stop(Bad):
    """Something after which nothing more can be said."""


def malformed(message):
    return Bad("malformed", message)


def sha256(data):
    return hashlib.sha256(data).digest()


# ---- Ed25519 (RFC 8032): checking only. Nothing here is secret, so it may be slow and take a time that depends on its input.

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


def add(a, b):
    """The sum of two points (X, Y, Z, T): x = X/Z, y = Y/Z, xy = T/Z."""
    k = (a[1] - a[0]) * (b[1] - b[0]) % P
    m = (a[1] + a[0]) * (b[1] + b[0]) % P
    n = 2 * a[3] * b[3] * D % P
    o = 2 * a[2] * b[2] % P
    e, f, g, h = m - k, o - n, o + n, m + k
    return e * f % P, g * h % P, f * g % P, e * h % P


def multiply(n, point):
    total = (0, 1, 1, 0)
    while n:
        if n & 1:
            total = add(total, point)
        point = add(point, point)
        n >>= 1
    return total


def decode_point(data):
    """The point that 32 bytes stand for, or None."""
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    if y >= P:
        return None
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - x2) % P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


def encode_point(point):
    z = pow(point[2], P - 2, P)
    x, y = point[0] * z % P, point[1] * z % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


BASE = decode_point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


@functools.lru_cache(maxsize=None)
def signature_holds(public, message, signature):
    point = decode_point(public)
    if point is None or len(signature) != 64:
        return False
    s = int.from_bytes(signature[32:], "little")
    if s >= L:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % L
    minus = (P - point[0], point[1], 1, P - point[3])
    return encode_point(add(multiply(s, BASE), multiply(k, minus))) == signature[:32]


# ---- Strict JSON: numbers stay as they were written; a name stands once in its object.


class Number(str):
    """A number, as it was written."""


def unique(pairs):
    obj = dict(pairs)
    if len(obj) != len(pairs):
        raise malformed("a name stands twice in an object")
    return obj


def refuse_constant(name):
    raise malformed(name + " is not JSON")


DECODER = json.JSONDecoder(object_pairs_hook=unique, parse_int=Number, parse_float=Number, parse_constant=refuse_constant)


def check_strings(value):
    """Escapes can spell what the bytes of the line could not: NUL, and half of a surrogate pair."""
    if isinstance(value, str):
        if "\0" in value or any("\ud800" <= c <= "\udfff" for c in value):
            raise malformed("a string holds NUL or half a surrogate pair")
    elif isinstance(value, dict):
        for name, inner in value.items():
            check_strings(name)
            check_strings(inner)
    elif isinstance(value, list):
        for inner in value:
            check_strings(inner)


def read_json(raw):
    try:
        value = DECODER.decode(raw.decode("utf-8"))
    except Bad:
        raise
    except (ValueError, RecursionError) as e:
        raise malformed("the line is not JSON: %s" % e) from None
    if b"\\u" in raw:
        check_strings(value)
    return value


def members(obj, required, optional=()):
    if not isinstance(obj, dict):
        raise malformed("an object is missing")
    for name in obj:
        if name not in required and name not in optional:
            raise Stop("unsupported", "this version does not know the member %r" % name)
    for name in required:
        if name not in obj:
            raise malformed("the member %r is missing" % name)
    return obj


def text(value):
    if not isinstance(value, str) or isinstance(value, Number):
        raise malformed("a string is missing")
    return value


def integer(value, most=MAX_SEQ):
    if not isinstance(value, Number) or not re.fullmatch("0|[1-9][0-9]{0,15}", value) or int(value) > most:
        raise malformed("a whole number up to %d is missing" % most)
    return int(value)


def b64(value, size=None):
    """The bytes of canonical base64."""
    try:
        data = base64.b64decode(text(value), validate=True)
    except ValueError:
        raise malformed("base64 is wrong") from None
    if base64.b64encode(data).decode() != value or (size is not None and len(data) != size):
        raise malformed("base64 is not canonical or of the wrong length")
    return data


def hash_list(value):
    if not isinstance(value, list):
        raise malformed("a list of hashes is missing")
    return [b64(h, 32) for h in value]


# ---- Payloads: an object becomes fields (path, type, value), each with a salted commitment.

CONSTANTS = {True: "t", False: "f", None: "z"}
NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")


def flatten(value, path="", depth=0):
    if depth > 32:
        raise malformed("a path has more than 32 components")
    if isinstance(value, dict):
        inner = [(path + "/" + name.replace("~", "~0").replace("/", "~1"), v) for name, v in value.items()]
    elif isinstance(value, list):
        inner = [("%s/~#%d" % (path, i), v) for i, v in enumerate(value)]
    elif isinstance(value, Number):
        return [(path, "n", value)]
    elif isinstance(value, str):
        return [(path, "s", value)]
    else:
        return [(path, CONSTANTS[value], "")]
    if not inner:
        return [(path, "o" if isinstance(value, dict) else "a", "")]
    return [field for p, v in inner for field in flatten(v, p, depth + 1)]


def commitment(salt, path, kind, value):
    path = path.encode()
    return sha256(b"\x02" + salt + struct.pack(">H", len(path)) + path + kind.encode() + value.encode())


def payload_root(commitments):
    return sha256(b"\x03" + struct.pack(">I", len(commitments)) + b"".join(commitments))


def check_sizes(paths):
    lengths = [len(p.encode()) for p in paths]
    if len(lengths) > 1024 or max(lengths, default=0) > 65535 or sum(lengths) > 1 << 20:
        raise malformed("a payload has too many fields or too long paths")


def open_payload(payload, secret):
    """The fields of a complete payload and its commitments."""
    if not isinstance(payload, dict):
        raise malformed("a payload is not an object")
    fields = sorted(flatten(payload), key=lambda f: f[0].encode())
    check_sizes([f[0] for f in fields])
    salts = b"".join(sha256(b"\x04" + secret + struct.pack(">H", k)) for k in range((len(fields) + 1) // 2))
    return fields, [commitment(salts[16 * i:16 * i + 16], *f) for i, f in enumerate(fields)]


def open_fields(listed):
    """The same of a payload that is partly withheld; None stands for a field that is."""
    if not isinstance(listed, list) or not 1 <= len(listed) <= 1024:
        raise malformed("a list of fields is missing or too long")
    fields, commitments = [], []
    for f in listed:
        if isinstance(f, dict) and "c" in f:
            fields.append(None)
            commitments.append(b64(members(f, ("c",))["c"], 32))
            continue
        members(f, ("p", "t", "s"), ("v",))
        path, kind = text(f["p"]), text(f["t"])
        if kind not in ("s", "n", "t", "f", "z", "o", "a") or ("v" in f) != (kind in "sn"):
            raise malformed("a field has a wrong type, or a value too many or too few")
        value = text(f["v"]) if "v" in f else ""
        if kind == "n" and not NUMBER.fullmatch(value):
            raise malformed("a number of a field is none")
        fields.append((path, kind, value))
        commitments.append(commitment(b64(f["s"], 16), path, kind, value) if len(path.encode()) <= 65535 else b"")
    shown = [f for f in fields if f]
    check_sizes([f[0] for f in shown])
    check_shape(shown, len(shown) < len(fields))
    return fields, commitments


def check_shape(shown, withheld):
    """The fields that are shown can come from one object."""
    paths = [p.encode() for p, _, _ in shown]
    if any(a >= b for a, b in zip(paths, paths[1:])):
        raise malformed("the fields do not ascend")
    at, indexes = {}, {}  # path: "object", "array" or "value"; array: its indexes
    for path, kind, _ in shown:
        parts = path.split("/")
        if parts[0] or len(parts) > 33 or (path == "" and (kind != "o" or withheld)):
            raise malformed("the path %r cannot be" % path)
        above = ""
        for part in parts[1:]:
            index = re.fullmatch("~#(0|[1-9][0-9]*)", part)
            if index:
                indexes.setdefault(above, set()).add(int(index[1][:9]))  # a longer one is a gap in any case
            elif not re.fullmatch("([^~]|~[01])*", part, re.DOTALL):
                raise malformed("the path %r cannot be" % path)
            container = "array" if index and above else "object"
            if (index and not above) or at.setdefault(above, container) != container:
                raise malformed("the fields cannot come from one object at %r" % path)
            above += "/" + part
        if at.setdefault(above, "value") != "value":
            raise malformed("the fields cannot come from one object at %r" % path)
    if not withheld and any(len(s) != max(s) + 1 for s in indexes.values()):
        raise malformed("an array has gaps")


# ---- Leaves and the tree of RFC 6962.

EPOCH = datetime(1970, 1, 1)
ID_LETTERS = "0123456789abcdefghjkmnpqrstvwxyz"


def read_time(value):
    m = re.fullmatch(r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})\.([0-9]{6})Z", text(value))
    try:
        return (datetime(*(int(part) for part in m.groups())) - EPOCH) // timedelta(microseconds=1)
    except (AttributeError, ValueError):
        raise malformed("a time is not written like 2006-01-02T15:04:05.000000Z") from None


def read_id(value):
    letters = text(value)[4:]
    if not value.startswith("evt_") or len(letters) != 26 or letters[0] > "7" or any(c not in ID_LETTERS for c in letters):
        raise malformed("%r is not an event id" % value)
    n = 0
    for c in letters:
        n = n << 5 | ID_LETTERS.index(c)
    return n.to_bytes(16, "big")


def leaf_hash(kind, seq, received_at, event_id, root):
    return sha256(b"\x00DAYB\x01" + struct.pack(">BQq", kind, seq, received_at) + event_id + root)


def node(left, right):
    return sha256(b"\x01" + left + right)


def included(leaf, index, size, proof, root):
    """RFC 9162, 2.1.3.2."""
    if index >= size:
        return False
    fn, sn = index, size - 1
    for p in proof:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            leaf = node(p, leaf)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            leaf = node(leaf, p)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and leaf == root


def consistent(old_size, old_root, size, root, proof):
    """RFC 9162, 2.1.4.2."""
    if old_size == size or old_size == 0:
        return not proof and (old_root == root if old_size else old_root == sha256(b""))
    if old_size > size or not proof:
        return False
    if old_size & (old_size - 1) == 0:
        proof = [old_root] + proof
    fn, sn = old_size - 1, size - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    old = new = proof[0]
    for p in proof[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            old, new = node(p, old), node(p, new)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            new = node(new, p)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and old == old_root and new == root


def subtrees(start, end):
    """The sizes of the perfect aligned subtrees that cover [start, end), each the largest that starts there and fits."""
    sizes = []
    while start < end:
        size = 1 << ((end - start).bit_length() - 1)
        if start:
            size = min(size, start & -start)
        sizes.append(size)
        start += size
    return sizes


class Range:
    """The root of a tree from the hashes left of a range, its leaves one by one, and the hashes right of it."""

    def __init__(self, start, left):
        self.stack = list(zip(subtrees(0, start), left))  # perfect subtrees, their sizes descending

    def append(self, hash_, size=1):
        while self.stack and self.stack[-1][0] == size:
            hash_, size = node(self.stack.pop()[1], hash_), 2 * size
        self.stack.append((size, hash_))

    def root(self):
        root = self.stack[-1][1]
        for _, hash_ in reversed(self.stack[:-1]):
            root = node(hash_, root)
        return root


# ---- Notes (C2SP signed-note, tlog-checkpoint, cosignature/v1).


class Key:
    """A verifier key: name+hex id+base64 of type and public key."""

    def __init__(self, vkey, kind):
        parts = text(vkey).split("+", 2)
        if len(parts) != 3 or not parts[0] or re.search(r"\s", vkey):
            raise malformed("%r is not a vkey" % vkey)
        self.vkey, self.name = vkey, parts[0]
        data = b64(parts[2])
        if data[:1] != bytes([kind]):
            raise Stop("unsupported", "the vkey %r is of a type that this version does not know here" % vkey)
        self.kind, self.public = kind, data[1:]
        self.id = sha256(self.name.encode() + b"\n" + data)[:4]
        if len(data) != 33 or self.id.hex() != parts[1]:
            raise malformed("the id of the vkey %r is not that of its key" % vkey)

    def signed(self, body, signature):
        """None: it did not. Else the time in seconds that a clock signed, 0 of the key of a log."""
        if self.kind == 1:
            return 0 if signature_holds(self.public, body, signature) else None
        seconds = int.from_bytes(signature[:8], "big")
        message = b"cosignature/v1\ntime %d\n" % seconds + body
        return seconds if signature_holds(self.public, message, signature[8:]) else None


LOG_KEY, CLOCK_KEY = 1, 4


class Note:
    """A checkpoint: origin, size and root, and who signed it."""

    def __init__(self, note, signed=True):
        body, blank, signatures = note.rpartition("\n\n")
        if not blank and not signed:
            body, signatures = note[:-1], ""
        if not note.endswith("\n") or not body or (signed and not signatures) or re.search(r"[\x00-\x09\x0b-\x1f]", note):
            raise malformed("a note is not one")
        self.body = (body + "\n").encode()
        lines = body.split("\n")
        if len(lines) > 3:
            raise Stop("unsupported", "a checkpoint has extension lines")
        if len(lines) < 3 or not lines[0] or not re.fullmatch("0|[1-9][0-9]{0,15}", lines[1]):
            raise malformed("a checkpoint has not three lines of origin, size and root")
        self.origin, self.size, self.root = lines[0], int(lines[1]), b64(lines[2], 32)
        self.signatures = []
        for line in signatures.split("\n")[:-1]:
            m = re.fullmatch(r"— ([^\s+]+) (\S+)", line)
            data = b64(m[2]) if m else b""
            if len(data) < 5:
                raise malformed("a signature line of a note is not one")
            self.signatures.append((m[1], data[:4], data[4:]))


# ---- Items: which entries and fields a control entry names.

SEQ = "(?:0|[1-9][0-9]{0,15})"
ITEM = re.compile("(%s)(?:-(%s))?(?::(%s(?:,%s)*))?" % (SEQ, SEQ, SEQ, SEQ))


def read_items(value):
    """Items as (first, last, fields); fields None: whole entries. They ascend and do not overlap."""
    if len(value) > 64 << 10:
        raise malformed("a list of items is too long")
    items = []
    for part in value.split(";"):
        m = ITEM.fullmatch(part)
        first, last = (int(m[1]), int(m[2] or m[1])) if m else (0, -1)
        fields = [int(i) for i in m[3].split(",")] if m and m[3] else None
        if first > last or (m[2] and first == last) or last >= MAX_SEQ or (items and first <= items[-1][1]):
            raise malformed("the items %r are not a list of entries" % value[:80])
        if fields is not None and (any(a >= b for a, b in zip(fields, fields[1:])) or fields[-1] >= 1024):
            raise malformed("the items %r name impossible fields" % value[:80])
        items.append((first, last, fields and frozenset(fields)))
    return items


def meet(a, b):
    """The first seq that two lists of items have in common, or None."""
    i = j = 0
    while i < len(a) and j < len(b):
        first, last = max(a[i][0], b[j][0]), min(a[i][1], b[j][1])
        if first <= last and (a[i][2] is None or b[j][2] is None or a[i][2] & b[j][2]):
            return first
        if a[i][1] < b[j][1]:
            i += 1
        else:
            j += 1
    return None


class Cover:
    """A union of ranges of seqs."""

    def __init__(self, ranges):
        self.starts, self.ends = [], []
        for first, last in sorted(ranges):
            if self.ends and first <= self.ends[-1] + 1:
                self.ends[-1] = max(self.ends[-1], last)
            else:
                self.starts.append(first)
                self.ends.append(last)

    def __iter__(self):
        return zip(self.starts, self.ends)

    def end(self, seq):
        """The end of the range that holds seq, or None."""
        i = bisect.bisect_right(self.starts, seq) - 1
        return self.ends[i] if i >= 0 and self.ends[i] >= seq else None

    def hole(self, first, last):
        """The first seq of [first, last] that no range holds, or None."""
        while first <= last:
            end = self.end(first)
            if end is None:
                return first
            first = end + 1
        return None
