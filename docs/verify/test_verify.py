#!/usr/bin/env python3
"""Tests of verify.py against the vectors of the specification:  python3 docs/verify/test_verify.py"""
import base64
import gzip
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import primitives  # noqa: E402
import proof  # noqa: E402
import verify  # noqa: E402

VECTORS = os.path.join(HERE, "..", "..", "testdata", "vectors")


def vectors(name):
    with open(os.path.join(VECTORS, name), "rb") as f:
        return f.read()


BUNDLE = vectors("bundle.ndjson")
MUTATIONS = json.loads(vectors("mutations.json"))["mutations"]


def mutate(case):
    """The bundle of one case of mutations.json."""
    if "file" in case:
        return case["file"].encode()
    lines = BUNDLE.decode().split("\n")[:-1]
    cut = 0
    for e in case.get("edits", []):
        i, to = e.get("line", 1) - 1, e.get("to", 1) - 1
        if e["op"] == "replace":
            assert e["old"] in lines[i], case["name"]
            lines[i] = lines[i].replace(e["old"], e.get("new", ""), 1)
        elif e["op"] == "set":
            lines[i] = e["text"]
        elif e["op"] == "insert":
            lines.insert(i, e.get("text", ""))
        elif e["op"] == "delete":
            del lines[i:to + 1]
        elif e["op"] == "swap":
            lines[i], lines[to] = lines[to], lines[i]
        else:
            cut = e["size"]
    if case["refoot"]:
        body = "".join(line + "\n" for line in lines[:-1]).encode()
        digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
        lines[-1] = json.dumps({"t": "footer", "lines": len(lines) - 1, "sha256": digest}, separators=(",", ":"))
    data = "".join(line + "\n" for line in lines).encode()
    return data[:len(data) - cut]


def check(data, pins, state=None, anchor=None, **options):
    pins = [primitives.Key(p, primitives.LOG_KEY) for p in pins]
    since = primitives.Note(state, signed=False) if state else None
    anchor = primitives.Key(anchor, primitives.LOG_KEY) if anchor else None
    bundle = verify.Bundle(pins, since, anchor, **options)
    bundle.read(io.BytesIO(data))
    return bundle


class Vectors(unittest.TestCase):
    def test_mutations(self):
        for case in MUTATIONS:
            with self.subTest(case["name"]):
                bundle = check(mutate(case), case["pins"], case.get("state"), case.get("anchor"))
                self.assertEqual(bundle.exit_code(), case["exit"], bundle.findings)
                if "reason" in case:
                    self.assertIn(case["reason"], [f[0] for f in bundle.findings])

    def test_payloads(self):
        payloads = json.loads(vectors("payload.json"))
        for case in payloads["accept"]:
            if "json" not in case:
                continue
            value = primitives.read_json(case["json"].encode())
            fields, commitments = primitives.open_payload(value, bytes.fromhex(case["secret_hex"]))
            self.assertEqual(primitives.payload_root(commitments).hex(), case["payload_root_hex"], case["name"])
        for case in payloads["refuse"]:
            rule = case.get("json_rule")
            raw = bytes.fromhex(case["json_hex"]) if "json_hex" in case else (rule["prefix"] + rule["repeat"] * rule["count"] + rule["suffix"]).encode()
            with self.assertRaises(primitives.Bad, msg=case["name"]):
                primitives.open_payload(primitives.read_json(raw), bytes(16))

    def test_shapes(self):
        for case in json.loads(vectors("payload.json"))["shape"]:
            fields = primitives.read_json(json.dumps(case["fields"]).encode())
            if case["ok"]:
                primitives.open_fields(fields)
            else:
                with self.assertRaises(primitives.Bad, msg=case["name"]):
                    primitives.open_fields(fields)

    def test_tree(self):
        tree = json.loads(vectors("tree.json"))
        roots = {r["size"]: base64.b64decode(r["root_b64"]) for r in tree["roots"]}
        leaves = []
        for i in range(max(roots)):
            n = i.to_bytes(8, "big")
            event_id, root = hashlib.sha256(b"daybook-vector/id" + n).digest()[:16], hashlib.sha256(b"daybook-vector/payload" + n).digest()
            leaves.append(primitives.leaf_hash(0, i, 1795301648000000 + i, event_id, root))

        def hashes(listed):
            return [base64.b64decode(h) for h in listed]

        sizes = {case[k] for case in tree["consistency"] for k in ("from", "to")} | set(roots)
        grown = primitives.Range(0, [])
        for i, leaf in enumerate(leaves):
            grown.append(leaf)
            if i + 1 in sizes:
                self.assertEqual(roots.setdefault(i + 1, grown.root()), grown.root(), i + 1)

        for case in tree["range"]:
            r = primitives.Range(case["from"], hashes(case["left_b64"]))
            for leaf in leaves[case["from"]:case["to"]]:
                r.append(leaf)
            sizes = primitives.subtrees(case["to"], case["size"])
            self.assertEqual(len(sizes), len(case["right_b64"]))
            for size, right in zip(sizes, hashes(case["right_b64"])):
                r.append(right, size)
            self.assertEqual(r.root(), roots[case["size"]], case)
        for case in tree["inclusion"]:
            proof, leaf, root = hashes(case["proof_b64"]), leaves[case["seq"]], roots[case["size"]]
            self.assertTrue(primitives.included(leaf, case["seq"], case["size"], proof, root), case)
            self.assertFalse(primitives.included(leaf, case["seq"] ^ 1, case["size"], proof, root), case)
            self.assertFalse(primitives.included(leaf, case["seq"], case["size"], proof + [root], root), case)
        for case in tree["consistency"]:
            proof, old, new = hashes(case["proof_b64"]), roots[case["from"]], roots[case["to"]]
            self.assertTrue(primitives.consistent(case["from"], old, case["to"], new, proof), case)
            self.assertFalse(primitives.consistent(case["from"], new if old != new else leaves[1], case["to"], new, proof), case)
            self.assertFalse(primitives.consistent(case["from"], old, case["to"], new, proof + [new]), case)

    def test_keys_and_notes(self):
        checkpoints = json.loads(vectors("checkpoint.json"))
        for case in checkpoints["open"]:
            keys = [primitives.Key(v, primitives.CLOCK_KEY if "/clock+" in v else primitives.LOG_KEY) for v in case["vkeys"]]
            with self.subTest(case["name"]):
                if case["expect"] == "malformed":
                    self.assertRaises(primitives.Bad, primitives.Note, case["note"])
                    continue
                bundle = verify.Bundle()
                found = bundle.signers(primitives.Note(case["note"]), keys)
                self.assertEqual(len(found), len(keys) if case["expect"] == "ok" else 0)
                self.assertEqual([f[0] for f in bundle.findings], ["signature_invalid"] if case["expect"] == "invalid" else [])
                if "clock_unix" in case:
                    self.assertIn(case["clock_unix"], found.values())

    def test_ed25519(self):
        """RFC 8032, 7.1."""
        public = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
        signature = bytes.fromhex("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00")
        self.assertTrue(primitives.signature_holds(public, b"\x72", signature))
        self.assertFalse(primitives.signature_holds(public, b"\x73", signature))
        self.assertFalse(primitives.signature_holds(public[::-1], b"\x72", signature))
        larger = (int.from_bytes(signature[32:], "little") + primitives.L).to_bytes(32, "little")
        self.assertFalse(primitives.signature_holds(public, b"\x72", signature[:32] + larger), "the same signature, spelled otherwise")

    def test_items(self):
        for good in ("0", "2:1,3;3", "0-41;43-99", "5-9:0,1023"):
            primitives.read_items(good)
        for wrong in ("", "01", "2-2", "3-2", "1;1", "2;1", "1:", "1:2,2", "1:1024", "1;", "-1", "*", "1-5;5", str(1 << 53), "١"):
            self.assertRaises(primitives.Bad, primitives.read_items, wrong)


class Damage(unittest.TestCase):
    """Nothing that happens to the file gives 0."""

    def flips(self, data):
        pins = MUTATIONS[0]["pins"]
        step = 8 * 8 + 1  # every bit position within a byte is met
        for bit in range(0, 8 * len(data), step):
            flipped = bytearray(data)
            flipped[bit // 8] ^= 1 << bit % 8
            yield bit, check(bytes(flipped), pins)

    def test_flips(self):
        for bit, bundle in self.flips(BUNDLE):
            self.assertIn(bundle.exit_code(), (6, 7), "bit %d" % bit)

    def test_flips_with_a_new_footer(self):
        """The footer does not count. Unseen goes what nothing authenticates: info, and signatures below checkpoints of the past that are
        no longer by a key of the file."""
        body = BUNDLE[:BUNDLE.rindex(b'{"t":"footer"')]
        past = body.index(b'{"t":"rotation"'), body.index(b'{"t":"range_proof"')
        free = [(body.index(b'"info"'), body.index(b"}}\n"))]
        free += [m.span() for m in re.finditer("— .*?\\\\n".encode(), body) if past[0] < m.start() < past[1]]
        pins, unseen = MUTATIONS[0]["pins"], 0
        for bit in range(3, 8 * len(body), 8 * 15 + 1):
            if any(start * 8 <= bit < end * 8 for start, end in free):
                continue
            flipped = bytearray(body)
            flipped[bit // 8] ^= 1 << bit % 8
            digest = base64.b64encode(hashlib.sha256(flipped).digest())
            footer = b'{"t":"footer","lines":%d,"sha256":"%s"}\n' % (flipped.count(b"\n"), digest)
            bundle = check(bytes(flipped) + footer, pins)
            self.assertIn(bundle.exit_code(), (6, 7), "bit %d of byte %r" % (bit % 8, body[bit // 8 - 20:bit // 8 + 20]))
            unseen += 1
        self.assertGreater(unseen, 500)

    def test_truncations(self):
        for size in range(0, len(BUNDLE), 19):
            bundle = check(BUNDLE[:size], MUTATIONS[0]["pins"])
            self.assertEqual(bundle.exit_code(), 7, "%d bytes: %s" % (size, bundle.findings))
            self.assertEqual(bundle.findings[-1][0], "truncated")


class Command(unittest.TestCase):
    def run_command(self, data, *args):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "pack.daybook")
            with open(path, "wb") as f:
                f.write(data)
            command = [sys.executable, os.path.join(HERE, "verify.py"), path, *args]
            return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True, timeout=120)

    def test_exit_codes(self):
        pin = ["--vkey", MUTATIONS[0]["pins"][0]]
        zipped = gzip.compress(BUNDLE)
        for want, data, args in (
                (0, BUNDLE, pin), (7, BUNDLE, []), (6, BUNDLE.replace(b"1450", b"1350"), pin), (2, BUNDLE, ["--vkey", "x"]),
                (2, BUNDLE, ["--since", "/nonexistent"]), (0, zipped, pin), (7, zipped[:-9], pin), (7, zipped[:200], pin), (7, b"", pin),
                (7, BUNDLE, pin + ["--max-age", "1"]), (0, BUNDLE, pin + ["--max-age", str(10**10)])):
            done = self.run_command(data, *args)
            self.assertEqual(done.returncode, want, done.stdout + done.stderr)

    def test_missing_file(self):
        command = [sys.executable, os.path.join(HERE, "verify.py"), os.path.join(HERE, "nothing.daybook")]
        done = subprocess.run(command, stdout=subprocess.PIPE, universal_newlines=True, timeout=120)
        self.assertEqual((done.returncode, "unreachable" in done.stdout), (7, True), done.stdout)


class TestProof(unittest.TestCase):
    """proof.py with the proof of the vectors."""
    case = json.loads(vectors("checkpoint.json"))["tlog_proof"]

    def exit_code(self, content, *args):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "one.tlog-proof")
            with open(path, "wb") as f:
                f.write(content)
            command = [sys.executable, os.path.join(HERE, "proof.py"), path, *args]
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True, timeout=120)
            return done.returncode, done.stdout + done.stderr

    def test_exit_codes(self):
        good, pin = self.case["text"], ["--vkey", self.case["vkey"]]
        code, said = self.exit_code(good.encode(), *pin)
        self.assertEqual((code, "entry %d of %d" % (self.case["seq"], self.case["size"]) in said), (0, True), said)
        lines = good.split("\n")
        swapped = "\n".join(lines[:3] + [lines[4], lines[3]] + lines[5:])
        for want, content, args in (
                (7, good, []), (6, swapped, pin), (6, good.replace("index 9", "index 8"), pin), (7, good.replace("@v1", "@v2"), pin),
                (6, good[:200], pin), (7, "\n".join(lines[:1] + lines[2:]), pin), (2, good, ["--vkey", "x"]),
                (7, good.replace(lines[-3], lines[-3].replace("YhjU", "YhjV")), pin)):
            code, said = self.exit_code(content.encode(), *args)
            self.assertEqual(code, want, said)

    def test_flips(self):
        """No flipped bit before the signatures is proved."""
        good = self.case["text"].encode()
        pins = [primitives.Key(self.case["vkey"], primitives.LOG_KEY)]
        for i in range(0, good.index("— ".encode()), 7):
            flipped = bytearray(good)
            flipped[i] ^= 1
            try:
                proof.check(flipped.decode("utf-8"), pins)
            except (primitives.Bad, UnicodeDecodeError):
                continue
            self.fail("byte %d" % i)


def exits(vkey):
    """Prints the exit code of each bundle that comes in: one a line, in base64. It is how another verifier is compared with this one."""
    for line in sys.stdin:
        print(check(base64.b64decode(line), [vkey]).exit_code())


if __name__ == "__main__":
    if sys.argv[1:2] == ["--exits"]:
        exits(sys.argv[2])
    else:
        unittest.main()
