#!/usr/bin/env python3
"""Checks an evidence bundle of Daybook (*.daybook, *.daybook.gz) offline.

    python3 verify.py FILE --vkey VKEY [--since NOTE] [--anchor-vkey VKEY] [--max-skew SECONDS] [--max-age SECONDS]

It was written from the specification (docs/reference/integrity.md) and shares no line with Daybook. It needs Python 3.8 and the file
primitives.py beside it, opens one file and no connection, and ends with
    0  everything in the file was proved
    6  something in the file is false: it was altered, or is damaged
    7  nothing false was found, but evidence or trust is missing
    2  the command line is wrong
The key given with --vkey must come from somewhere else than the file: a contract, a ticket, paper.

It is meant to be read: primitives.py first, then Bundle in the order of its methods.
"""
import argparse
import bisect
import gzip
import hashlib
import struct
import sys
import time
import zlib
from array import array

sys.dont_write_bytecode = True  # leaves nothing beside the file
from primitives import (  # noqa: E402
    CLOCK_KEY, LOG_KEY, MAX_LINE, MAX_SEQ, Bad, Cover, Key, Note, Number, Range, Stop, b64, consistent, hash_list, included, integer, leaf_hash,
    malformed, meet, members, open_fields, open_payload, payload_root, read_id, read_items, read_json, read_time, sha256, subtrees, text)

FALSE = {"signature_invalid", "header_mismatch", "malformed", "position_mismatch", "leaf_mismatch", "root_mismatch", "id_mismatch", "proof_invalid",
         "time_order", "unauthorised_removal", "control_withheld", "hold_violated", "fork", "rollback", "footer_mismatch"}
MISSING = {"unsupported", "truncated", "key_not_pinned", "key_unknown", "epoch_changed", "proof_missing", "stale", "unreachable"}
ENTRY = ("seq", "kind", "id", "received_at", "leaf_hash")
RANK = {"header": 0, "checkpoint": 1, "rotation": 2, "consistency": 3, "range_proof": 4, "control": 5, "entry": 6, "leaf": 6, "hashes": 6,
        "anchor": 7, "footer": 8}
ONCE = ("header", "checkpoint", "range_proof", "footer")


class Entry:
    """One ENTRY: seq, kind, time, hash (as stated), strings (path: value, of what is shown), withheld (indexes of fields) and
    disclosed (how many others)."""


class Bundle:
    def __init__(self, pins=(), since=None, anchor_key=None, max_skew=300, max_age=None, now=None):
        self.pins, self.since, self.anchor_key, self.max_skew, self.max_age, self.now = list(pins), since, anchor_key, max_skew, max_age, now
        self.findings, self.notes = [], []  # (code, line, seq, message); what a reader should know
        self.line, self.last, self.once = 0, "header", set()  # the line at hand; the type before; those seen that stand once
        self.keys = list(pins) + ([anchor_key] if anchor_key else [])
        self.clock_time = self.clock = self.anchor = None
        self.chain, self.awaited = [], None  # the keys of rotation lines, and the one that the last of them leads to
        self.roots, self.upper, self.lower = {}, [], []  # size: root that the checkpoint extends; (size, time): entries below, from there on
        self.tree = self.next = None  # None: the lines do not give a tree any more; the next seq is not known
        self.seqs, self.times, self.elsewhere = array("q"), array("q"), {}
        self.gone, self.hashed, self.hidden, self.shown = [], [], {}, array("q")  # shown as leaves, as hashes; fields withheld; shown
        self.controls, self.anchored = [], set()

    def find(self, code, message, seq=None):
        self.findings.append((code, self.line, seq, message))

    def exit_code(self):
        codes = {f[0] for f in self.findings}
        return 6 if codes & FALSE else 7 if codes else 0

    def read(self, stream):
        """Reads the whole bundle. What is wrong is in findings afterwards."""
        digest = hashlib.sha256()
        try:
            while not self.read_line(stream, digest):
                pass
        except Stop as e:
            return self.find(e.code, str(e))
        self.line = 0
        self.check_range()
        self.check_times()
        self.check_removals()
        self.check_memory()
        self.check_trust()

    def read_line(self, stream, digest):
        """Reads one line and reports whether it was the last."""
        try:
            raw = stream.readline(MAX_LINE + 1)
        except (OSError, EOFError, zlib.error) as e:
            raise Stop("truncated", "the file cannot be read to its end: %s" % e) from None
        self.line += 1
        done = self.last == "footer"
        if done or not raw:
            if raw:
                self.find("malformed", "there is something after the footer")
            elif not done:
                raise Stop("truncated", "the footer is missing")
            return True
        if not raw.endswith(b"\n"):
            raise Stop("malformed" if len(raw) > MAX_LINE else "truncated", "the line has no end, or more than 2 MiB")
        try:
            self.take(read_json(raw[:-1]), digest)
        except Stop:
            raise
        except Bad as e:
            self.find(e.code, str(e))
            self.tree = self.next = None  # a line that cannot be used: the rest is read, but gives no tree
        digest.update(raw)

    def take(self, m, digest):
        kind = m.get("t") if isinstance(m, dict) else None
        if kind is None or isinstance(kind, Number):
            raise malformed("the line has no type")
        if not isinstance(kind, str) or kind not in RANK:
            raise Stop("unsupported", "this version does not know lines of the type %r" % kind)
        missing = [k for k in ONCE if RANK[k] < RANK[kind] and k not in self.once]
        if "header" in missing or "checkpoint" in missing:
            raise Stop("malformed", "the bundle does not begin with a header and a checkpoint")
        if missing or kind in self.once or RANK[kind] < RANK[self.last]:
            raise malformed("a line of the type %r cannot stand here" % kind)
        self.last = kind
        if kind in ONCE:
            self.once.add(kind)
        if kind == "footer":
            return self.line_footer(m, digest.digest())
        try:
            getattr(self, "line_" + kind)(m)
        except Bad as e:
            if kind in ("header", "checkpoint"):
                raise Stop(e.code, str(e)) from None
            raise

    # -- The head.

    def line_header(self, m):
        if text(m.get("format")) != "daybook-bundle/v1":
            raise Stop("unsupported", "the format is %r" % m["format"])
        members(m, ("t", "format", "origin", "vkey", "from", "to", "size"), ("clock_vkey", "anchor_vkey", "filter", "mask", "info"))
        self.origin, self.key = text(m["origin"]), Key(m["vkey"], LOG_KEY)
        self.clock = Key(m["clock_vkey"], CLOCK_KEY) if "clock_vkey" in m else None
        self.anchor = Key(m["anchor_vkey"], LOG_KEY) if "anchor_vkey" in m else None
        self.start, self.end, self.size = integer(m["from"]), integer(m["to"]), integer(m["size"])
        self.filter, self.mask = "filter" in m and text(m["filter"]) is not None, "mask" in m
        if not isinstance(m.get("info", {}), dict) or not isinstance(m.get("mask", []), list):
            raise malformed("info is no object, or mask no list")
        for prefix in m.get("mask", []):
            text(prefix)
        if self.key.name != self.origin or not self.start < self.end <= self.size:
            raise Bad("header_mismatch", "origin, vkey, from, to and size of the header disagree")
        self.keys += [k for k in (self.key, self.clock, self.anchor) if k]
        for said, what in ((self.filter, "filtered"), (self.mask, "masked")):
            if said:
                self.notes.append("%s copy: completeness of the selection is not proved" % what)
        if not self.clock:
            self.notes.append("the header names no clock: times are only checked against each other")

    def signers(self, note, keys):
        """The keys that signed the note, with the time if it was a clock. A signature that does not hold is a finding."""
        found = {}
        for name, key_id, signature in note.signatures:
            for key in keys:
                if key.name == name and key.id == key_id:
                    seconds = key.signed(note.body, signature)
                    if seconds is None:
                        self.find("signature_invalid", "the signature by %s does not hold" % name)
                    else:
                        found[key.vkey] = seconds
        return found

    def line_checkpoint(self, m):
        self.note = Note(text(members(m, ("t", "note"))["note"]))
        self.signed = self.signers(self.note, self.keys)
        for key in (self.key, self.clock):
            if key and key.vkey not in self.signed:
                self.find("signature_invalid", "%s did not sign the checkpoint" % key.name)
        if self.note.origin != self.origin or self.note.size != self.size:
            raise Bad("header_mismatch", "the checkpoint is of another log or size")
        self.root = self.roots[self.size] = self.note.root
        self.clock_time = self.signed.get(self.clock.vkey) if self.clock else None
        self.bound(self.size, self.signed)

    def bound(self, size, signed):
        """By the log's own clock: entries below size are not later than a checkpoint of it, the others not earlier."""
        if self.clock and self.clock.vkey in signed:
            seconds = signed[self.clock.vkey]
            self.upper.append((size, seconds * 10**6))
            self.lower.append((size, (seconds - self.max_skew) * 10**6))

    def extends(self, size, root, proof):
        """The checkpoint extends a tree of this size and root."""
        if not consistent(size, root, self.size, self.root, proof):
            raise Bad("proof_invalid", "the checkpoint does not extend the tree of size %d" % size)
        if self.roots.setdefault(size, root) != root:
            raise Bad("fork", "two roots for size %d" % size)

    def line_rotation(self, m):
        members(m, ("t", "vkey", "note", "entry", "proof", "consistency"))
        key, note = Key(m["vkey"], LOG_KEY), Note(text(m["note"]))
        self.keys.append(key)
        self.signed.update(self.signers(self.note, [key]))
        if key.name != self.origin or note.origin != self.origin or note.size > self.size:
            raise Bad("header_mismatch", "a rotation is of another log or a larger tree")
        signed = self.signers(note, self.keys)
        if key.vkey not in signed:
            raise Bad("signature_invalid", "the older key did not sign the checkpoint of its rotation")
        e = self.entry(m["entry"])
        says = e.strings
        if e.kind != 1 or says.get("/op") != "key" or says.get("/state") != "added" or self.awaited not in (None, key.vkey):
            raise Bad("proof_invalid", "a rotation has no key entry, or is not the next one")
        if not included(e.hash, e.seq, note.size, hash_list(m["proof"]), note.root):
            raise Bad("proof_invalid", "the key entry is not in the tree that the older key signed")
        self.extends(note.size, note.root, hash_list(m["consistency"]))
        self.bound(note.size, signed)
        self.elsewhere[e.seq] = e.time
        self.chain.append(key)
        self.awaited = says.get("/vkey")

    def line_consistency(self, m):
        members(m, ("t", "note", "proof"))
        note = Note(text(m["note"]))
        if note.origin != self.origin or note.size > self.size:
            raise Bad("header_mismatch", "a remembered checkpoint is of another log or a larger tree")
        signed = self.signers(note, self.keys)
        by_log = any(k.vkey in signed for k in self.keys if k.name == self.origin)
        if by_log and note.size == self.size and note.root != self.root:
            raise Bad("fork", "two signed roots for size %d" % note.size)
        self.extends(note.size, note.root, hash_list(m["proof"]))
        if by_log:
            self.bound(note.size, signed)

    def line_range_proof(self, m):
        members(m, ("t", "left", "right"))
        left, self.right = hash_list(m["left"]), hash_list(m["right"])
        self.next = self.start
        if len(left) == len(subtrees(0, self.start)) and len(self.right) == len(subtrees(self.end, self.size)):
            self.tree = Range(self.start, left)
        else:
            self.find("root_mismatch", "the range proof has a hash too many or too few")

    # -- Entries.

    def entry(self, m, extra=()):
        """Reads an ENTRY and compares its content with the hash that it states."""
        form = ("fields",) if isinstance(m, dict) and "fields" in m else ("secret", "payload")
        members(m, ENTRY + form + extra)
        e = Entry()
        e.seq, e.kind, e.time = integer(m["seq"], MAX_SEQ - 1), integer(m["kind"], 1), read_time(m["received_at"])
        event_id, e.hash = read_id(m["id"]), b64(m["leaf_hash"], 32)
        fields, commitments = open_fields(m["fields"]) if "fields" in m else open_payload(m["payload"], b64(m["secret"], 16))
        if leaf_hash(e.kind, e.seq, e.time, event_id, payload_root(commitments)) != e.hash:
            self.find("leaf_mismatch", "the content and the leaf hash differ", e.seq)
        e.withheld = {i for i, f in enumerate(fields) if f is None}
        e.disclosed = len(fields) - len(e.withheld)
        e.strings = {f[0]: f[2] for f in fields if f and f[1] == "s"}
        if any(f[0] == "/id" and (f[1], f[2]) != ("s", m["id"]) for f in fields if f):
            self.find("id_mismatch", "the id in the payload is not that of the entry", e.seq)
        return e

    def line_control(self, m):
        e = self.entry(m, ("t", "proof"))
        if e.kind != 1 or self.start <= e.seq < self.end or any(e.seq <= c.seq for c in self.controls):
            raise malformed("a control line is no control entry outside the range, or does not ascend")
        if not included(e.hash, e.seq, self.size, hash_list(m["proof"]), self.root):
            raise Bad("proof_invalid", "a control entry is not in the tree")
        self.elsewhere[e.seq] = e.time
        self.show(e)

    def show(self, e):
        if e.withheld:
            self.hidden[e.seq] = e.withheld
        if e.disclosed:
            self.shown.append(e.seq)
        if e.kind == 1:
            self.act(e)

    def place(self, seq, hashes):
        """Puts hashes at seq, which must be the next."""
        if self.next is not None and seq != self.next:
            self.find("position_mismatch", "entry %d stands where %d belongs" % (seq, self.next), seq)
            self.tree = None
        self.next = seq + len(hashes)
        if self.tree:
            for h in hashes:
                self.tree.append(h)

    def at(self, seq, when):
        self.seqs.append(seq)
        self.times.append(when)

    def line_entry(self, m):
        e = self.entry(m, ("t",))
        self.place(e.seq, [e.hash])
        self.at(e.seq, e.time)
        self.show(e)

    def line_leaf(self, m):
        members(m, ("t", "seq", "leaf"))
        seq, data = integer(m["seq"], MAX_SEQ - 1), b64(m["leaf"], 70)
        kind, leaf_seq, when = struct.unpack(">BQq", data[5:22])
        if data[:5] != b"DAYB\x01" or kind > 1 or leaf_seq >= MAX_SEQ:
            raise malformed("70 bytes are not a leaf")
        if leaf_seq != seq:
            self.find("position_mismatch", "the leaf of entry %d stands at %d" % (leaf_seq, seq), seq)
        if kind == 1:
            self.find("control_withheld", "a control entry is withheld", seq)
        self.place(seq, [sha256(b"\x00" + data)])
        self.at(seq, when)
        self.gone.append((seq, seq))

    def line_hashes(self, m):
        members(m, ("t", "seq", "count", "hashes"))
        seq, count = integer(m["seq"], MAX_SEQ - 1), integer(m["count"])
        if not 0 < count <= MAX_LINE:
            raise malformed("a line of hashes has none")
        data = b64(m["hashes"], 32 * count)
        self.place(seq, [data[i:i + 32] for i in range(0, len(data), 32)])
        if not self.filter:
            self.hashed.append((seq, seq + count - 1))

    def act(self, e):
        """Notes what a control entry says. What it removed is compared with what is missing at the end."""
        says, op = e.strings, e.strings.get("/op")
        if op is None:
            return self.find("control_withheld", "a control entry does not say what it does", e.seq)
        if op not in ("erase", "prune", "hold", "key", "epoch"):
            return self.find("unsupported", "this version does not know the control entry %r" % op, e.seq)
        if op == "epoch" and e.seq != 0:
            raise malformed("an epoch entry is not the first of its log")
        e.keep, e.hold, e.state, e.items = says.get("/keep"), says.get("/hold_id"), says.get("/state"), None
        if op not in ("erase", "prune") and (op != "hold" or e.state == "released"):
            self.controls.append(e)
            return
        if op == "erase" and "/of" in says and "/items" not in says:  # from the log of an earlier epoch, after a restore
            e.items = []
            self.controls.append(e)
            return
        if "/items" not in says:
            raise Bad("control_withheld", "entry %d does not say what it covers" % e.seq) if e.withheld else malformed("a control entry has no items")
        if op == "hold" and says["/items"] == "*":
            e.items = [(0, MAX_SEQ, None)]
        else:
            e.items = read_items(says["/items"])
        if op != "hold" and e.items[-1][1] >= e.seq:
            raise malformed("entry %d removes itself or what comes after it" % e.seq)
        if (op == "hold" and (e.state != "placed" or not e.hold)) or (op == "prune" and e.keep not in ("leaf", "hash", "tile")):
            raise malformed("a control entry has a wrong state, hold_id or keep")
        self.controls.append(e)

    # -- Anchors and the end.

    def line_anchor(self, m):
        members(m, ("t", "size", "root", "consistency", "batch_index", "batch_proof", "leaf", "proof", "note"))
        size, root, note, leaf = integer(m["size"]), b64(m["root"], 32), Note(text(m["note"])), b64(m["leaf"], 65)
        keys = [k for k in (self.anchor, self.anchor_key) if k]
        signed = self.signers(note, keys)
        if keys and not signed:
            raise Bad("signature_invalid", "no anchor key signed the anchor log's checkpoint")
        if any(k.vkey in signed and k.name != note.origin for k in keys) or size > self.size:
            raise Bad("header_mismatch", "an anchor is of another anchor log or a larger tree")
        index, when, count = struct.unpack(">QqI", leaf[5:25])
        batch_root, before = leaf[25:57], int.from_bytes(leaf[57:65], "big", signed=True)
        if leaf[:5] != b"DAYA\x01" or (before != 0 if index == 0 else before >= when):
            raise malformed("65 bytes are not an anchor leaf")
        if not included(sha256(b"\x00" + leaf), index, note.size, hash_list(m["proof"]), note.root):
            raise Bad("proof_invalid", "the anchor leaf is not in the anchor log")
        ours = sha256(b"\x00" + sha256(self.origin.encode()) + struct.pack(">Q", size) + root)
        if not included(ours, integer(m["batch_index"]), count, hash_list(m["batch_proof"]), batch_root):
            raise Bad("proof_invalid", "this log is not in the batch of the anchor")
        self.extends(size, root, hash_list(m["consistency"]))
        self.anchored.update(signed)
        if signed:
            self.upper.append((size, when))

    def line_footer(self, m, digest):
        members(m, ("t", "lines", "sha256"))
        if integer(m["lines"]) != self.line - 1 or b64(m["sha256"], 32) != digest:
            self.find("footer_mismatch", "the file is not what the footer counted: it is damaged, or was edited")

    def check_range(self):
        if self.next is not None and self.next != self.end:
            self.find("position_mismatch", "the entries end before %d, not before %d" % (self.next, self.end))
            self.tree = None
        if self.tree:
            for size, h in zip(subtrees(self.end, self.size), self.right):
                self.tree.append(h, size)
            if self.tree.root() != self.root:
                self.find("root_mismatch", "all leaves together do not give the signed root")
        elif self.exit_code() != 6:
            self.find("root_mismatch", "the lines do not give a tree")

    def check_times(self):
        others = sorted((s, t) for s, t in self.elsewhere.items() if not self.start <= s < self.end)
        seqs = [s for s, _ in others if s < self.start] + list(self.seqs) + [s for s, _ in others if s >= self.end]
        times = [t for s, t in others if s < self.start] + list(self.times) + [t for s, t in others if s >= self.end]
        for i in range(1, len(seqs)):
            if times[i] <= times[i - 1]:
                self.find("time_order", "received_at does not increase", seqs[i])
                return
        for size, latest in self.upper:  # times increase, so one entry speaks for those before it
            i = bisect.bisect_left(seqs, size)
            if i and times[i - 1] > latest:
                self.find("time_order", "an entry is later than a checkpoint or anchor that holds it", seqs[i - 1])
        for size, earliest in self.lower:
            i = bisect.bisect_left(seqs, size)
            if i < len(seqs) and times[i] < earliest:
                self.find("time_order", "an entry is earlier than a checkpoint that does not hold it", seqs[i])

    def check_removals(self):
        active = {}
        for e in sorted(self.controls, key=lambda e: e.seq):
            op = e.strings["/op"]
            if op == "hold" and e.state == "placed":
                active.setdefault(e.hold, []).append(e.items)
            elif op == "hold":
                active.pop(e.hold, None)
            elif op in ("erase", "prune"):
                for items in (i for hold in active.values() for i in hold):
                    seq = meet(items, e.items)
                    if seq is not None:
                        self.find("hold_violated", "entry %d removed what was on hold" % e.seq, seq)
        removals = [(e.strings["/op"], e.keep, i) for e in self.controls if e.strings["/op"] in ("erase", "prune") for i in e.items]
        erased = Cover([i[:2] for op, _, i in removals if op == "erase" and i[2] is None])
        bodies = Cover([i[:2] for _, _, i in removals if i[2] is None])
        leaves = Cover([i[:2] for op, keep, i in removals if op == "prune" and keep != "leaf"])
        single, ranged = {}, []
        for op, _, (first, last, fields) in removals:
            if op == "erase" and fields is not None and first == last:
                single.setdefault(first, set()).update(fields)
            elif op == "erase" and fields is not None:
                ranged.append((first, last, fields))
        for lines, cover, what in ((self.gone, bodies, "the body of an entry"), (self.hashed, leaves, "the leaf of an entry")):
            for first, last in Cover(lines):
                seq = cover.hole(first, last)
                if seq is not None:
                    self.find("unauthorised_removal", what + " is missing, and no control entry in this file says why", seq)
        for seq, fields in () if self.mask else self.hidden.items():
            named = single.get(seq, set()).union(*(f for first, last, f in ranged if first <= seq <= last))
            if erased.end(seq) is None and not named.issuperset(fields):
                self.find("unauthorised_removal", "a field is missing, and no control entry in this file says why", seq)
        shown = sorted(self.shown)
        for _, _, (first, last, fields) in removals:
            for seq in shown[bisect.bisect_left(shown, first):bisect.bisect_right(shown, last)]:
                if fields is None or fields - self.hidden.get(seq, set()):
                    self.notes.append("entry %d is shown although it was erased or pruned: this copy still has it" % seq)

    def check_memory(self):
        old = self.since
        if old is None:
            return
        if old.origin != self.origin or (old.size and old.size <= self.size and old.size not in self.roots):
            self.find("proof_missing", "nothing in the file leads to the remembered checkpoint of size %d of %s" % (old.size, old.origin))
        elif old.size <= self.size:
            if self.roots.get(old.size, old.root) != old.root:
                self.find("fork", "the remembered checkpoint of size %d has another root: keep both, they are the proof" % old.size)
        else:
            seconds = self.signers(old, [self.clock]).get(self.clock.vkey) if self.clock else None
            if seconds is not None and self.clock_time is not None and self.clock_time > seconds:
                self.find("rollback", "the log is shorter than the remembered one of size %d, and signed later" % old.size)
            else:
                self.find("proof_missing", "the remembered checkpoint is newer: of size %d" % old.size)

    def check_trust(self):
        if self.chain and self.awaited != self.key.vkey:
            self.find("proof_invalid", "the rotations do not lead to the key of the header")
        pinned = {k.vkey for k in self.pins}
        signers = [k for k in self.pins if k.vkey in self.signed]
        if not pinned:
            self.find("key_not_pinned", "self-consistent, issuer NOT authenticated: give the key with --vkey")
        elif pinned.isdisjoint(k.vkey for k in [self.key] + self.chain) and not any(k.name == self.origin for k in signers):
            if signers:
                self.find("epoch_changed", "the pinned key is that of an earlier epoch: get the new one from the operator, and pin it")
            else:
                self.find("key_unknown", "no pinned key signed the checkpoint, or leads to the one that did")
        if self.anchor_key and self.anchor_key.vkey not in self.anchored:
            self.find("proof_missing", "no anchor by the key given with --anchor-vkey")
        if self.max_age is not None and (self.clock_time is None or self.now - self.clock_time > self.max_age):
            self.find("stale", "the checkpoint is older than --max-age, or has no time")


def open_stream(path):
    stream = open(path, "rb")
    gzipped = stream.peek(2)[:2] == b"\x1f\x8b"
    return gzip.GzipFile(fileobj=stream) if gzipped else stream


def main(args):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("--vkey", action="append", default=[], help="a key that you trust; may be repeated")
    parser.add_argument("--since", help="a file with a checkpoint that you remember")
    parser.add_argument("--anchor-vkey", help="ask for an anchor by this key")
    parser.add_argument("--max-skew", type=int, default=300, help="seconds that clocks may differ (300)")
    parser.add_argument("--max-age", type=int, help="seconds that the checkpoint may be old")
    options = parser.parse_args(args)
    try:
        pins = [Key(vkey, LOG_KEY) for vkey in options.vkey]
        anchor_key = Key(options.anchor_vkey, LOG_KEY) if options.anchor_vkey else None
        since = None
        if options.since:
            with open(options.since, encoding="utf-8", newline="") as f:
                since = Note(f.read(), signed=False)
    except (Bad, OSError, ValueError) as e:
        parser.error(str(e))
    bundle = Bundle(pins, since, anchor_key, options.max_skew, options.max_age, time.time())
    try:
        with open_stream(options.file) as stream:
            bundle.read(stream)
    except OSError as e:
        bundle.find("unreachable", str(e))
    report(bundle)
    return bundle.exit_code()


def report(b):
    for note in b.notes:
        print("note  " + note)
    for code, line, seq, message in b.findings:
        where = "".join([" line %d" % line if line else "", " seq %d" % seq if seq is not None else ""])
        print("%s  %s%s: %s" % ("FALSE  " if code in FALSE else "MISSING", code, where, message))
    verdict = {6: "FAILED  something in this file is false", 7: "UNVERIFIED  nothing false was found, but something is missing"}
    if b.exit_code():
        print(verdict[b.exit_code()])
        return
    signed = time.strftime(", signed %Y-%m-%dT%H:%M:%SZ", time.gmtime(b.clock_time)) if b.clock_time else ""
    print("OK  %s: entries %d to %d of %d%s; %d shown, %d without a body" % (b.origin, b.start, b.end - 1, b.size, signed, len(b.shown), len(b.gone)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
